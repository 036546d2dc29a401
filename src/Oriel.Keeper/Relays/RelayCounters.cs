namespace Oriel.Keeper.Relays;

/// <summary>What the relays have carried and refused so far. Safe from any thread.</summary>
internal sealed class RelayCounters
{
    private long _accepted;
    private long _open;
    private long _overLimit;
    private long _serverAway;
    private long _noTarget;
    private long _bytesUp;
    private long _bytesDown;
    private long _dnsQueries;
    private long _dnsMalformed;

    public void Opened()
    {
        Interlocked.Increment(ref _accepted);
        Interlocked.Increment(ref _open);
    }

    public void Closed(long up, long down)
    {
        Interlocked.Decrement(ref _open);
        Interlocked.Add(ref _bytesUp, up);
        Interlocked.Add(ref _bytesDown, down);
    }

    public void OverLimit() => Interlocked.Increment(ref _overLimit);

    public void ServerAway() => Interlocked.Increment(ref _serverAway);

    public void NoTarget() => Interlocked.Increment(ref _noTarget);

    public void Dns(bool answered) => Interlocked.Increment(ref answered ? ref _dnsQueries : ref _dnsMalformed);

    public IEnumerable<KeyValuePair<string, long>> Snapshot() =>
        [
            new("connections-accepted", Interlocked.Read(ref _accepted)),
            new("connections-open", Interlocked.Read(ref _open)),
            new("connections-over-limit", Interlocked.Read(ref _overLimit)),
            new("connections-server-away", Interlocked.Read(ref _serverAway)),
            new("connections-no-target", Interlocked.Read(ref _noTarget)),
            new("bytes-up", Interlocked.Read(ref _bytesUp)),
            new("bytes-down", Interlocked.Read(ref _bytesDown)),
            new("dns-queries", Interlocked.Read(ref _dnsQueries)),
            new("dns-malformed", Interlocked.Read(ref _dnsMalformed)),
        ];
}
