namespace Oriel.WebRtc.Sctp;

/// <summary>Milliseconds since the association was created, and the one timer for all its deadlines.</summary>
internal sealed class AssociationClock : IDisposable
{
    private readonly TimeProvider _clock;
    private readonly long _epoch;
    private readonly ITimer _timer;
    private double _armed = double.PositiveInfinity;

    public AssociationClock(TimeProvider clock, Action onTimer)
    {
        _clock = clock;
        _epoch = clock.GetTimestamp();
        _timer = clock.CreateTimer(_ => Fire(onTimer), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public double Now => _clock.GetElapsedTime(_epoch).TotalMilliseconds;

    /// <summary>Sets the timer to the next deadline; called under the association's lock.</summary>
    public void Arm(double deadline)
    {
        if (deadline == _armed)
        {
            return;
        }

        _armed = deadline;
        // Rounded up to a whole millisecond: a timer that fires early would find nothing due and be set again immediately.
        var wait = double.IsPositiveInfinity(deadline)
            ? Timeout.InfiniteTimeSpan
            : TimeSpan.FromMilliseconds(Math.Max(0, Math.Ceiling(deadline - Now)));
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    private void Fire(Action onTimer)
    {
        Volatile.Write(ref _armed, double.NaN);
        onTimer();
    }
}
