namespace Oriel.Egress.Proxy;

/// <summary>Cancels what goes on over a connection once nothing has been heard for too long. Safe for concurrent use.</summary>
internal sealed class SilenceLimit : IDisposable
{
    private readonly CancellationToken _outer;
    private readonly CancellationTokenSource _source;
    private long _limitTicks;

    public SilenceLimit(TimeSpan limit, CancellationToken outer)
    {
        _outer = outer;
        _source = CancellationTokenSource.CreateLinkedTokenSource(outer);
        Set(limit);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>It was the silence, and not the caller.</summary>
    public bool IsOver => _source.IsCancellationRequested && !_outer.IsCancellationRequested;

    /// <summary>Bytes have passed: the time begins again.</summary>
    public void Heard() => _source.CancelAfter(new TimeSpan(Volatile.Read(ref _limitTicks)));

    /// <summary>Another limit from now on.</summary>
    public void Set(TimeSpan limit)
    {
        Volatile.Write(ref _limitTicks, limit.Ticks);
        Heard();
    }

    public Task EndAsync() => _source.CancelAsync();

    public void Dispose() => _source.Dispose();
}
