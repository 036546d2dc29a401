using System.Runtime.InteropServices;
using Oriel.Linux.Calls;
using Oriel.Linux.Clocks;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Polling;

/// <summary>
/// Waits for a file descriptor, a wake-up from another thread (eventfd) or a time on CLOCK_MONOTONIC, whichever is first.
/// One thread waits; any thread may call <see cref="Wake"/>.
/// </summary>
public sealed unsafe class Poller : IDisposable
{
    private readonly Lock _lock = new();
    private int _event = LinuxException.ThrowIfNegative(PollCalls.EventFd(0, FileCalls.NonBlocking | FileCalls.CloseOnExec), "eventfd");

    public void Wake()
    {
        // Eight bytes, as eventfd(2) asks.
        ReadOnlySpan<byte> one = [1, 0, 0, 0, 0, 0, 0, 0];
        lock (_lock)
        {
            if (_event >= 0)
            {
                // A full counter is a wake-up already.
                _ = Fd.Write(_event, one, out _);
            }
        }
    }

    /// <summary>
    /// Waits for <paramref name="descriptor"/> to be readable, a wake-up, or <paramref name="untilUs"/> (negative: without end). A signal
    /// ends it too: whoever waits looks again at what it waits for.
    /// </summary>
    /// <param name="ignoreDescriptor">Whether to leave the descriptor out, when what it has to say is of no use now.</param>
    public void Wait(int descriptor, long untilUs, bool ignoreDescriptor = false)
    {
        var polled = stackalloc PollCalls.PollDescriptor[2];
        polled[0] = new() { Descriptor = ignoreDescriptor ? -1 : descriptor, Events = (short)PollCalls.In };
        polled[1] = new() { Descriptor = _event, Events = (short)PollCalls.In };
        var timeout = ClockCalls.Timespec.FromMicroseconds(untilUs < 0 ? 0 : Math.Max(0, untilUs - MonotonicClock.NowUs));
        // SAFETY: both structs are on the stack and outlive the call.
        var result = PollCalls.Poll(polled, 2, untilUs >= 0 ? &timeout : null, null);
        if (result < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
        {
            throw LinuxException.Last("ppoll");
        }

        if (result > 0 && polled[1].Received != 0)
        {
            // Eight bytes, as eventfd(2) gives; non-blocking.
            _ = Fd.Read(_event, stackalloc byte[8], out _);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_event >= 0)
            {
                _ = DescriptorCalls.Close(_event);
                _event = -1;
            }
        }
    }
}
