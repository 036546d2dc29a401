using Oriel.Linux.Calls;

namespace Oriel.Linux.Clocks;

/// <summary>CLOCK_MONOTONIC, which the X server's times are of as well. It stops while the machine is halted.</summary>
public static class MonotonicClock
{
    /// <summary>Microseconds.</summary>
    public static long NowUs
    {
        get
        {
            _ = ClockCalls.GetTime(ClockCalls.Monotonic, out var time);
            return time.ToMicroseconds();
        }
    }
}
