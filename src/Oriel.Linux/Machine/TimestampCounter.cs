using System.Diagnostics;
using Oriel.Linux.Memory;

namespace Oriel.Linux.Machine;

/// <summary>The processor's time stamp counter (Intel SDM, volume 2, RDTSC).</summary>
public static class TimestampCounter
{
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
        var seconds = (to.Ticks - from.Ticks) / (double)Stopwatch.Frequency;
        return (long)Math.Round((to.Counter - from.Counter) / seconds / 1000);
    }

    /// <summary>A pair of readings that lie close together: the closest of a few, as a preempted one does not.</summary>
    private static unsafe (ulong Counter, long Ticks) Sample()
    {
        // rdtsc; shl rdx, 32; or rax, rdx; ret
        ReadOnlySpan<byte> code = [0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];
        using var page = Mapping.Anonymous(Mapping.PageBytes);
        // SAFETY: `page` is ours until the method ends; no thread runs the code while it is written.
        code.CopyTo(new Span<byte>((void*)page.Address, Mapping.PageBytes));
        page.MakeExecutable();
        var read = (delegate* unmanaged<ulong>)page.Address;
        var best = (Counter: 0UL, Ticks: 0L, Width: ulong.MaxValue);
        for (var i = 0; i < 16; i++)
        {
            var before = read();
            var ticks = Stopwatch.GetTimestamp();
            var after = read();
            if (after - before < best.Width)
            {
                best = (before + ((after - before) / 2), ticks, after - before);
            }
        }

        return (best.Counter, best.Ticks);
    }
}
