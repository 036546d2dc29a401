using System.Collections.Concurrent;

namespace Oriel.Tests.Creation;

/// <summary>This machine's clock, on which a deadline can be made to pass at once; deadlines are told apart by their length.</summary>
internal sealed class PressedClock : TimeProvider
{
    private readonly ConcurrentDictionary<Pressed, byte> _timers = new();
    private readonly Lock _lock = new();
    private TimeSpan? _passed;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_lock)
        {
            var timer = new Pressed(this, base.CreateTimer(callback, state, dueTime == _passed ? TimeSpan.Zero : dueTime, period), dueTime);
            _timers[timer] = 0;
            return timer;
        }
    }

    /// <summary>Deadlines of this length have passed, those that begin from now on too, until <see cref="Rest"/>.</summary>
    public void Pass(TimeSpan deadline)
    {
        lock (_lock)
        {
            _passed = deadline;
            foreach (var timer in _timers.Keys.Where(timer => timer.Due == deadline))
            {
                timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Rest()
    {
        lock (_lock)
        {
            _passed = null;
        }
    }

    private sealed class Pressed(PressedClock clock, ITimer timer, TimeSpan due) : ITimer
    {
        public TimeSpan Due => due;

        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

        public void Dispose()
        {
            clock._timers.TryRemove(this, out _);
            timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            clock._timers.TryRemove(this, out _);
            return timer.DisposeAsync();
        }
    }
}
