using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Oriel.Linux.Calls;

namespace Oriel.Linux.Polling;

/// <summary>The one thread that waits for all <see cref="AsyncDescriptor"/>s of the process.</summary>
internal sealed unsafe class EventLoop
{
    private const int MaxEvents = 64;
    private static readonly Lazy<EventLoop> Loop = new(() => new EventLoop());

    private readonly ConcurrentDictionary<long, AsyncDescriptor> _descriptors = [];
    private readonly int _epoll;
    private long _lastKey;

    private EventLoop()
    {
        _epoll = LinuxException.ThrowIfNegative(PollCalls.EpollCreate(FileCalls.CloseOnExec), "epoll_create1");
        new Thread(Run) { IsBackground = true, Name = "descriptors" }.Start();
    }

    public static EventLoop Shared => Loop.Value;

    public long Register(AsyncDescriptor descriptor, int fd)
    {
        var key = Interlocked.Increment(ref _lastKey);
        _descriptors[key] = descriptor;
        try
        {
            Control(PollCalls.Add, fd, key, 0);
            return key;
        }
        catch
        {
            _descriptors.TryRemove(key, out _);
            throw;
        }
    }

    public void Arm(int fd, long key, uint events) => Control(PollCalls.Modify, fd, key, events);

    public void Unregister(int fd, long key)
    {
        _ = PollCalls.EpollControl(_epoll, PollCalls.Delete, fd, null);
        _descriptors.TryRemove(key, out _);
    }

    private void Control(int operation, int fd, long key, uint events)
    {
        var e = new PollCalls.EpollEvent { Events = events | PollCalls.OneShot, Key = key };
        // SAFETY: e lives for the call; the kernel copies it.
        LinuxException.ThrowIfNegative(PollCalls.EpollControl(_epoll, operation, fd, &e), "epoll_ctl");
    }

    private void Run()
    {
        // SAFETY: room for MaxEvents; the kernel writes no more.
        var events = stackalloc PollCalls.EpollEvent[MaxEvents];
        while (true)
        {
            var count = PollCalls.EpollWait(_epoll, events, MaxEvents, -1);
            if (count < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
            {
                throw LinuxException.Last("epoll_wait");
            }

            for (var i = 0; i < count; i++)
            {
                if (_descriptors.TryGetValue(events[i].Key, out var descriptor))
                {
                    descriptor.OnReady(events[i].Events);
                }
            }
        }
    }
}
