using System.Net;

namespace Oriel.WebRtc.Ice;

/// <summary>
/// A new connection's place in <see cref="PendingTcp"/>, with a deadline, until a valid check claims its path. A username fragment proves
/// nothing: it crosses the network unencrypted. Safe for concurrent use.
/// </summary>
internal sealed class TcpAdmission : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private readonly PendingTcp _pending;
    private readonly IPAddress _from;
    private readonly CancellationTokenSource _deadline;
    private readonly CancellationTokenSource _ending;
    private readonly Lock _lock = new();
    private bool _hasLeft;

    /// <param name="pending">Already entered.</param>
    public TcpAdmission(PendingTcp pending, IPAddress from, TimeProvider clock, CancellationToken stop)
    {
        _pending = pending;
        _from = from;
        _deadline = new CancellationTokenSource(Deadline, clock);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(stop, _deadline.Token);
        Ending = _ending.Token;
    }

    /// <summary>Cancelled when the endpoint stops, and at the deadline unless the path has been claimed.</summary>
    public CancellationToken Ending { get; }

    public void OnTaken()
    {
        lock (_lock)
        {
            if (!_hasLeft)
            {
                _hasLeft = true;
                _pending.Leave(_from);
                _deadline.CancelAfter(Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        OnTaken();
        _ending.Dispose();
        _deadline.Dispose();
    }
}
