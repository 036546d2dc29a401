using Oriel.Desktops.Store;

namespace Oriel.Server.Auth;

/// <summary>A session as this process knows it, until it is revoked, signed out or expires. Safe for concurrent use.</summary>
internal sealed class SessionLife(TimeProvider clock)
{
    /// <summary>A session that was found is not looked up again for this long.</summary>
    private static readonly TimeSpan KnownFor = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _end = new(Timeout.InfiniteTimeSpan, clock);
    private volatile string _id = "";
    private long _knownUntil;
    private long _lastUsedAt;
    private int _open;

    public CancellationToken Ended => _end.Token;

    /// <summary>Empty until the session was found in the database.</summary>
    public string Id => _id;

    public bool IsKnown(long now) => !Ended.IsCancellationRequested && Volatile.Read(ref _knownUntil) > now;

    public void Found(SessionRecord record, long now)
    {
        // A record of later comes of a clock that was set back; a timer does not reach that far.
        _end.CancelAfter(TimeSpan.FromMilliseconds(Math.Min(record.ExpiresAt - now, TokenService.SessionLifetime.TotalMilliseconds)));
        Volatile.Write(ref _knownUntil, now + (long)KnownFor.TotalMilliseconds);
        _id = record.Id;
    }

    /// <summary>Now, while any request or stream of it is open.</summary>
    public long LastUsedAt(long now) => Volatile.Read(ref _open) > 0 ? now : Volatile.Read(ref _lastUsedAt);

    public void Open() => Interlocked.Increment(ref _open);

    public void Close()
    {
        Volatile.Write(ref _lastUsedAt, clock.GetUtcNow().ToUnixTimeMilliseconds());
        Interlocked.Decrement(ref _open);
    }

    /// <summary>Idempotent. Whatever watches <see cref="Ended"/> has been told when this returns.</summary>
    public Task EndAsync() => _end.CancelAsync();
}
