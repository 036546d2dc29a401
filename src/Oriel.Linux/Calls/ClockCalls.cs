using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

/// <summary>Clocks by their numbers (clock_gettime(2)).</summary>
internal static partial class ClockCalls
{
    internal const int RealTime = 0;
    internal const int Monotonic = 1;
    internal const int ThreadCpuTime = 3;

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    internal static partial int GetTime(int clock, out Timespec time);

    [LibraryImport("libc", EntryPoint = "clock_settime", SetLastError = true)]
    internal static partial int SetTime(int clock, in Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    internal struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;

        public static Timespec FromMicroseconds(long us) => new() { Seconds = us / 1_000_000, Nanoseconds = us % 1_000_000 * 1000 };

        public readonly long ToMicroseconds() => (Seconds * 1_000_000) + (Nanoseconds / 1000);
    }
}
