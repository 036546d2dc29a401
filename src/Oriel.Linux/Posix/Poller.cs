using System.Runtime.InteropServices;

namespace Oriel.Linux.Posix;

/// <summary>
/// Waits for a file descriptor, a wake-up from another thread (eventfd) or a time on CLOCK_MONOTONIC, whichever is first.
/// One thread waits; any thread may call <see cref="Wake"/>.
/// </summary>
public sealed unsafe partial class Poller : IDisposable
{
    private const short PollIn = 1;
    private const int NonBlocking = 0x800,
        CloseOnExec = 0x80000,
        Interrupted = 4;
    private readonly Lock _lock = new();
    private int _event;

    public Poller()
    {
        _event = eventfd(0, NonBlocking | CloseOnExec);
        if (_event < 0)
        {
            throw new IOException($"eventfd failed: errno {Marshal.GetLastPInvokeError()}");
        }
    }

    /// <summary>Microseconds of CLOCK_MONOTONIC.</summary>
    public static long NowUs
    {
        get
        {
            Timespec time;
            // SAFETY: clock_gettime fills the struct that it is given.
            _ = clock_gettime(1, &time);
            return time.Seconds * 1_000_000 + time.Nanoseconds / 1000;
        }
    }

    public void Wake()
    {
        ulong one = 1;
        lock (_lock)
        {
            if (_event >= 0)
            {
                // SAFETY: eight bytes, as eventfd(2) asks. A full counter is a wake-up already.
                _ = write(_event, &one, 8);
            }
        }
    }

    /// <summary>
    /// Waits for <paramref name="descriptor"/> to be readable, a wake-up, or <paramref name="untilUs"/> (negative: without end).
    /// </summary>
    /// <param name="ignoreDescriptor">Whether to leave the descriptor out, when what it has to say is of no use now.</param>
    public void Wait(int descriptor, long untilUs, bool ignoreDescriptor = false)
    {
        var polled = stackalloc PollDescriptor[2];
        polled[0] = new() { Descriptor = ignoreDescriptor ? -1 : descriptor, Events = PollIn };
        polled[1] = new() { Descriptor = _event, Events = PollIn };
        Timespec timeout = default;
        if (untilUs >= 0)
        {
            var left = Math.Max(0, untilUs - NowUs);
            timeout = new() { Seconds = left / 1_000_000, Nanoseconds = left % 1_000_000 * 1000 };
        }

        // SAFETY: both structs are on the stack and outlive the call.
        var result = ppoll(polled, 2, untilUs >= 0 ? &timeout : null, null);
        if (result < 0 && Marshal.GetLastPInvokeError() is var error and not Interrupted)
        {
            throw new IOException($"ppoll failed: errno {error}");
        }

        if (result > 0 && polled[1].Received != 0)
        {
            ulong count;
            // SAFETY: eight bytes, as eventfd(2) gives; non-blocking.
            _ = read(_event, &count, 8);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_event >= 0)
            {
                _ = close(_event);
                _event = -1;
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events,
            Received;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds,
            Nanoseconds;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ppoll(PollDescriptor* fds, nuint count, Timespec* timeout, void* mask);

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, Timespec* time);
}
