using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Instance;

namespace Oriel.Server.Auth;

/// <summary>
/// The API token (a file, 0600), one-time sign-in tokens and the page's sessions (only hashes, in the database). A session has two
/// secrets: a cookie, and one that the page keeps in its own storage and sends in a header, since a cookie goes to every port of a host
/// (RFC 6265 section 8.5). Safe for concurrent use. Another process on the data directory may add sign-in tokens; the API token and the
/// sessions are changed only by who holds the server's lock.
/// </summary>
internal sealed class TokenService(IDbContextFactory<DesktopDbContext> factory, DataLayout layout, TimeProvider clock)
{
    public const int MaxTokenLength = 256;
    public static readonly TimeSpan SignInLifetime = TimeSpan.FromMinutes(10);
    public static readonly TimeSpan SessionLifetime = TimeSpan.FromDays(30);
    private const string SignInKind = "sign-in";
    private const int TokenBytes = 32;

    private readonly SessionTable _sessions = new(factory, clock);

    /// <summary>Sessions are added and removed, and the token is replaced, one at a time: who ends all of them misses none.</summary>
    private readonly SemaphoreSlim _change = new(1);

    private volatile TokenEra _era = new(LoadOrCreateApiToken(layout), clock);

    /// <summary>A sign-in token: good once, for ten minutes.</summary>
    public async Task<string> NewSignInAsync(CancellationToken cancellationToken)
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
                Kind = SignInKind,
                ExpiresAt = (now + SignInLifetime).ToUnixTimeMilliseconds(),
            }
        );
        await db.SaveChangesAsync(cancellationToken);
        return token;
    }

    /// <summary>Trades a sign-in token (which is then used up) or the API token for a session.</summary>
    /// <param name="address">Where from.</param>
    /// <param name="browser">With what, in short.</param>
    public async Task<NewSession?> SignInAsync(string token, string address, string browser, CancellationToken cancellationToken)
    {
        if (token.Length is 0 or > MaxTokenLength)
        {
            return null;
        }

        await _change.WaitAsync(cancellationToken);
        try
        {
            var era = _era;
            if (!era.IsToken(token) && !await UseSignInAsync(token, cancellationToken))
            {
                return null;
            }

            var cookie = NewToken();
            era.Prune();
            await _sessions.AddAsync(HashOf(cookie), SessionLifetime, address, browser, cancellationToken);
            return new NewSession(cookie, era.PageSecretOf(cookie));
        }
        finally
        {
            _change.Release();
        }
    }

    /// <returns>Null when it is not the API token.</returns>
    public Caller? CallerOfToken(string candidate)
    {
        var era = _era;
        return era.IsToken(candidate) ? new Caller(era, null) : null;
    }

    /// <returns>Null when there is no such session.</returns>
    public async ValueTask<Caller?> CallerOfCookieAsync(string cookie)
    {
        if (cookie.Length is 0 or > MaxTokenLength)
        {
            return null;
        }

        // Entered before it is looked up: who ends the session meanwhile has removed it first, and finds it here.
        var era = _era;
        var hash = HashOf(cookie);
        var session = era.SessionOf(hash);
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        if (!session.IsKnown(now))
        {
            SessionRecord? found = null;
            try
            {
                // Not for the client to break off, which would leave an entry for each cookie that somebody thinks of.
                found = await _sessions.FindUsedAsync(hash, CancellationToken.None);
            }
            finally
            {
                if (found is null)
                {
                    await era.EndSessionAsync(hash);
                }
            }

            if (found is null)
            {
                return null;
            }

            session.Found(found, now);
        }

        return era.Ended.IsCancellationRequested || session.Ended.IsCancellationRequested ? null : new Caller(era, session);
    }

    /// <summary>Those that hold, newest first, each with when it was last used.</summary>
    public async Task<List<(SessionRecord Session, long LastUsedAt)>> ListSessionsAsync(CancellationToken cancellationToken)
    {
        var era = _era;
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var all = await _sessions.ListAsync(cancellationToken);
        return [.. all.Select(session => (session, Math.Max(session.LastUsedAt, era.FindSession(session.Hash)?.LastUsedAt(now) ?? 0)))];
    }

    /// <returns>False when there is none of this id.</returns>
    public async Task<bool> EndSessionAsync(string id, CancellationToken cancellationToken) =>
        await EndSessionsAsync(session => session.Id == id, cancellationToken) > 0;

    /// <param name="kept">Id of the one that goes on; null = none.</param>
    public Task EndOtherSessionsAsync(string? kept, CancellationToken cancellationToken) =>
        EndSessionsAsync(session => session.Id != kept, cancellationToken);

    /// <summary>
    /// Another API token in this one's place: the file first, so that whatever fails later, the old one is worth nothing. Ends all
    /// sessions, sign-in tokens, and what was opened by the old token.
    /// </summary>
    /// <param name="asker">Ended when another has been put in place since it was asked for.</param>
    /// <returns>Null then.</returns>
    public async Task<string?> RotateAsync(CancellationToken asker, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            if (asker.IsCancellationRequested)
            {
                return null;
            }

            var token = NewToken();
            WriteApiToken(layout, token);
            var old = _era;
            _era = new TokenEra(token, clock);
            try
            {
                await _sessions.DeleteAllAsync(CancellationToken.None);
                await using var db = await factory.CreateDbContextAsync(CancellationToken.None);
                await db.Tokens.ExecuteDeleteAsync(CancellationToken.None);
            }
            finally
            {
                await old.EndAsync();
            }

            return token;
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>The token of a data directory; made when there is none.</summary>
    private static string LoadOrCreateApiToken(DataLayout layout)
    {
        var path = layout.Token;
        if (File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 } kept)
        {
            File.SetUnixFileMode(path, PrivateFile.OwnerOnly);
            return kept;
        }

        var token = NewToken();
        WriteApiToken(layout, token);
        return token;
    }

    private static void WriteApiToken(DataLayout layout, string token) =>
        PrivateFile.Write(layout.Token, Encoding.ASCII.GetBytes(token + "\n"));

    private static string NewToken() => System.Buffers.Text.Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));

    private static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private async Task<bool> UseSignInAsync(string token, CancellationToken cancellationToken)
    {
        var hash = HashOf(token);
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        await using var db = await factory.CreateDbContextAsync(cancellationToken);

        // One statement: of two that come at the same time with one token, the database lets one delete it.
        return await db.Tokens.Where(t => t.Hash == hash && t.Kind == SignInKind && t.ExpiresAt > now).ExecuteDeleteAsync(cancellationToken)
            == 1;
    }

    private async Task<int> EndSessionsAsync(Func<SessionRecord, bool> isMeant, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            string[] hashes = [.. (await _sessions.ListAsync(cancellationToken)).Where(isMeant).Select(session => session.Hash)];
            await _sessions.DeleteAsync(hashes, CancellationToken.None);
            var era = _era;
            await Task.WhenAll(hashes.Select(era.EndSessionAsync));
            return hashes.Length;
        }
        finally
        {
            _change.Release();
        }
    }
}

/// <param name="Secret">For the header X-Oriel of its requests.</param>
internal sealed record NewSession(string Cookie, string Secret);
