using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

internal static unsafe partial class PollCalls
{
    // The events of poll(2) and epoll_ctl(2) have the same numbers.
    internal const uint In = 1;
    internal const uint Out = 4;
    internal const uint Error = 8;
    internal const uint HangUp = 16;
    internal const uint OneShot = 1u << 30;

    // epoll_ctl(2)
    internal const int Add = 1;
    internal const int Delete = 2;
    internal const int Modify = 3;

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    internal static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    internal static partial int EpollControl(int epoll, int operation, int fd, EpollEvent* e);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    internal static partial int EpollWait(int epoll, EpollEvent* events, int max, int timeout);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    internal static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    internal static partial int Poll(PollDescriptor* descriptors, nuint count, ClockCalls.Timespec* timeout, void* mask);

    /// <summary>Packed on x86-64 only (epoll_ctl(2)).</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    internal struct EpollEvent
    {
        public uint Events;
        public long Key;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Received;
    }
}
