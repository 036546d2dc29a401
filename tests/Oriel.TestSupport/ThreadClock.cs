using Oriel.Linux.Calls;

namespace Oriel.TestSupport;

/// <summary>CPU time of the calling thread (CLOCK_THREAD_CPUTIME_ID), for benchmarks.</summary>
public static class ThreadClock
{
    public static TimeSpan Now
    {
        get
        {
            _ = ClockCalls.GetTime(ClockCalls.ThreadCpuTime, out var time);
            return TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / 100);
        }
    }
}
