using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Oriel.Server.Auth;

/// <summary>
/// The time of one API token: what is made of it, and who came by it. Another token begins another era, in which nothing of this one holds.
/// </summary>
internal sealed class TokenEra(string token, TimeProvider clock)
{
    private readonly byte[] _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
    private readonly byte[] _pageKey = SHA256.HashData(Encoding.UTF8.GetBytes("oriel page secret\n" + token));
    private readonly ConcurrentDictionary<string, SessionLife> _sessions = new();
    private readonly CancellationTokenSource _end = new();

    public CancellationToken Ended => _end.Token;

    public bool IsToken(string candidate) =>
        candidate.Length <= TokenService.MaxTokenLength
        && CryptographicOperations.FixedTimeEquals(_hash, SHA256.HashData(Encoding.UTF8.GetBytes(candidate)));

    /// <summary>The secret that belongs to a session's cookie, which the cookie alone does not tell.</summary>
    public string PageSecretOf(string cookie) =>
        System.Buffers.Text.Base64Url.EncodeToString(HMACSHA256.HashData(_pageKey, Encoding.UTF8.GetBytes(cookie)));

    public bool IsPageSecret(string cookie, string candidate) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(PageSecretOf(cookie)), Encoding.UTF8.GetBytes(candidate));

    /// <summary>The session of this hash, entered if it is not there.</summary>
    public SessionLife SessionOf(string hash)
    {
        if (_sessions.TryGetValue(hash, out var known) && known.Ended.IsCancellationRequested)
        {
            _sessions.TryRemove(new KeyValuePair<string, SessionLife>(hash, known));
        }

        return _sessions.GetOrAdd(hash, static (_, clock) => new SessionLife(clock), clock);
    }

    public SessionLife? FindSession(string hash) => _sessions.GetValueOrDefault(hash);

    public Task EndSessionAsync(string hash) => _sessions.TryRemove(hash, out var session) ? session.EndAsync() : Task.CompletedTask;

    /// <summary>Lets go of those that have expired.</summary>
    public void Prune()
    {
        foreach (var (hash, session) in _sessions)
        {
            if (session.Ended.IsCancellationRequested)
            {
                _sessions.TryRemove(new KeyValuePair<string, SessionLife>(hash, session));
            }
        }
    }

    /// <summary>Itself first: a session that is entered later finds the era ended.</summary>
    public async Task EndAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_sessions.Values.Select(session => session.EndAsync()));
    }
}
