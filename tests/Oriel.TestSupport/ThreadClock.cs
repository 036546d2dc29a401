using System.Runtime.InteropServices;

namespace Oriel.TestSupport;

/// <summary>CPU time of the calling thread (CLOCK_THREAD_CPUTIME_ID), for benchmarks.</summary>
public static unsafe partial class ThreadClock
{
    private const int ThreadCpuTime = 3;

    public static TimeSpan Now
    {
        get
        {
            var time = stackalloc long[2];
            // SAFETY: struct timespec is two longs.
            _ = clock_gettime(ThreadCpuTime, time);
            return TimeSpan.FromSeconds(time[0]) + TimeSpan.FromTicks(time[1] / 100);
        }
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, long* time);
}
