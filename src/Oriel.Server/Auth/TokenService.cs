using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Instance;

namespace Oriel.Server.Auth;

/// <summary>
/// The API token (a file, 0600), one-time sign-in tokens and the page's sessions (only hashes, in the database). A session has two
/// secrets: a cookie, and one that the page keeps in its own storage and sends in a header, since a cookie goes to every port of a host
/// (RFC 6265 section 8.5). Safe for concurrent use, also by several processes on one data directory.
/// </summary>
public sealed class TokenService(IDbContextFactory<DesktopDbContext> factory, string apiToken, TimeProvider clock)
{
    public static readonly TimeSpan SignInLifetime = TimeSpan.FromMinutes(10);
    public static readonly TimeSpan SessionLifetime = TimeSpan.FromDays(30);
    private const string SignInKind = "sign-in";
    private const string SessionKind = "session";
    private const int TokenBytes = 32;
    private const int MaxTokenLength = 256;

    /// <summary>A session that was found is not looked up again for this long.</summary>
    private static readonly TimeSpan CacheFor = TimeSpan.FromSeconds(10);

    /// <summary>Made of the API token: another token is another key, and ends the sessions.</summary>
    private readonly byte[] _pageKey = SHA256.HashData(Encoding.UTF8.GetBytes("oriel page secret\n" + apiToken));
    private readonly byte[] _apiTokenHash = SHA256.HashData(Encoding.UTF8.GetBytes(apiToken));
    private readonly ConcurrentDictionary<string, DateTimeOffset> _seen = new();

    /// <summary>The token of a data directory; made when there is none.</summary>
    public static string LoadOrCreateApiToken(DataLayout layout)
    {
        var path = layout.Token;
        if (File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 } kept)
        {
            File.SetUnixFileMode(path, PrivateFile.OwnerOnly);
            return kept;
        }

        var token = NewToken();
        PrivateFile.Write(path, Encoding.ASCII.GetBytes(token + "\n"));
        return token;
    }

    public bool IsApiToken(string candidate) =>
        candidate.Length <= MaxTokenLength
        && CryptographicOperations.FixedTimeEquals(_apiTokenHash, SHA256.HashData(Encoding.UTF8.GetBytes(candidate)));

    /// <summary>A sign-in token: good once, for ten minutes.</summary>
    public Task<string> NewSignInAsync(CancellationToken cancellationToken) => AddAsync(SignInKind, SignInLifetime, cancellationToken);

    /// <summary>Trades a sign-in token (which is then used up) or the API token for a session.</summary>
    /// <returns>The session's token, or null.</returns>
    public async Task<string?> SignInAsync(string token, CancellationToken cancellationToken)
    {
        if (token.Length is 0 or > MaxTokenLength)
        {
            return null;
        }

        if (!IsApiToken(token))
        {
            var hash = HashOf(token);
            var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
            await using var db = await factory.CreateDbContextAsync(cancellationToken);

            // One statement: of two that come at the same time with one token, the database lets one delete it.
            var used = await db
                .Tokens.Where(t => t.Hash == hash && t.Kind == SignInKind && t.ExpiresAt > now)
                .ExecuteDeleteAsync(cancellationToken);
            if (used != 1)
            {
                return null;
            }
        }

        return await AddAsync(SessionKind, SessionLifetime, cancellationToken);
    }

    public async ValueTask<bool> IsSessionAsync(string token, CancellationToken cancellationToken)
    {
        if (token.Length is 0 or > MaxTokenLength)
        {
            return false;
        }

        var hash = HashOf(token);
        var now = clock.GetUtcNow();
        if (_seen.TryGetValue(hash, out var until) && until > now)
        {
            return true;
        }

        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        var ms = now.ToUnixTimeMilliseconds();
        var found = await db.Tokens.AnyAsync(t => t.Hash == hash && t.Kind == SessionKind && t.ExpiresAt > ms, cancellationToken);
        if (found)
        {
            _seen[hash] = now + CacheFor;
        }
        else
        {
            _seen.TryRemove(hash, out _);
        }

        return found;
    }

    /// <summary>The secret that belongs to a session's cookie, which the cookie alone does not tell.</summary>
    public string PageSecretOf(string session) =>
        System.Buffers.Text.Base64Url.EncodeToString(HMACSHA256.HashData(_pageKey, Encoding.UTF8.GetBytes(session)));

    public bool IsPageSecret(string session, string candidate) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(PageSecretOf(session)), Encoding.UTF8.GetBytes(candidate));

    public async Task SignOutAsync(string token, CancellationToken cancellationToken)
    {
        var hash = HashOf(token);
        _seen.TryRemove(hash, out _);
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        await db.Tokens.Where(t => t.Hash == hash).ExecuteDeleteAsync(cancellationToken);
    }

    private static string NewToken() => System.Buffers.Text.Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));

    private static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private async Task<string> AddAsync(string kind, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        var token = NewToken();
        var now = clock.GetUtcNow();
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        var ms = now.ToUnixTimeMilliseconds();
        await db.Tokens.Where(t => t.ExpiresAt <= ms).ExecuteDeleteAsync(cancellationToken);
        db.Tokens.Add(
            new TokenRecord
            {
                Hash = HashOf(token),
                Kind = kind,
                ExpiresAt = (now + lifetime).ToUnixTimeMilliseconds(),
            }
        );
        await db.SaveChangesAsync(cancellationToken);
        return token;
    }
}
