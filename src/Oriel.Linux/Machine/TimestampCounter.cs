using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Oriel.Linux.Machine;

/// <summary>The processor's time stamp counter (Intel SDM, volume 2, RDTSC).</summary>
public static partial class TimestampCounter
{
    private const int PageSize = 4096;
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(30);

    /// <summary>
    /// Its rate in kHz, measured against the monotonic clock over 30 ms, to about ten parts in a million. The kernel knows it but tells it
    /// nowhere an ordinary user can read, and <c>cpu MHz</c> of /proc/cpuinfo is the core's momentary clock.
    /// </summary>
    /// <exception cref="LinuxException">The kernel gives no executable memory.</exception>
    public static async Task<long> MeasureKilohertzAsync(CancellationToken cancellationToken)
    {
        var from = Sample();
        await Task.Delay(Window, cancellationToken);
        var to = Sample();
        var seconds = (to.Clock - from.Clock) / (double)Stopwatch.Frequency;
        return (long)Math.Round((to.Counter - from.Counter) / seconds / 1000);
    }

    /// <summary>A pair of readings that lie close together: the closest of a few, as a preempted one does not.</summary>
    private static unsafe (ulong Counter, long Clock) Sample()
    {
        // rdtsc; shl rdx, 32; or rax, rdx; ret
        ReadOnlySpan<byte> code = [0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];
        const int ReadWrite = 3,
            ReadExecute = 5,
            PrivateAnonymous = 0x22;
        var page = mmap(0, PageSize, ReadWrite, PrivateAnonymous, -1, 0);
        if (page == -1)
        {
            throw LinuxException.Last("mmap");
        }

        try
        {
            // SAFETY: `page` is PageSize bytes of our own, mapped until the finally below; no thread runs the code while it is written.
            code.CopyTo(new Span<byte>((void*)page, PageSize));
            if (mprotect(page, PageSize, ReadExecute) != 0)
            {
                throw LinuxException.Last("mprotect");
            }

            var read = (delegate* unmanaged<ulong>)page;
            var best = (Counter: 0UL, Clock: 0L, Width: ulong.MaxValue);
            for (var i = 0; i < 16; i++)
            {
                var before = read();
                var clock = Stopwatch.GetTimestamp();
                var after = read();
                if (after - before < best.Width)
                {
                    best = (before + ((after - before) / 2), clock, after - before);
                }
            }

            return (best.Counter, best.Clock);
        }
        finally
        {
            _ = munmap(page, PageSize);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mprotect(nint address, nuint length, int protection);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(nint address, nuint length);
}
