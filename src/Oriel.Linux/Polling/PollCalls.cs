using System.Runtime.InteropServices;

namespace Oriel.Linux.Polling;

internal static unsafe partial class PollCalls
{
    internal const uint In = 1;
    internal const uint Out = 4;
    internal const uint Error = 8;
    internal const uint HangUp = 16;
    internal const uint OneShot = 1u << 30;
    internal const int Add = 1;
    internal const int Delete = 2;
    internal const int Modify = 3;

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    internal static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    internal static partial int EpollControl(int epoll, int operation, int fd, EpollEvent* e);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    internal static partial int EpollWait(int epoll, EpollEvent* events, int max, int timeout);

    /// <summary>Packed on x86-64 only (epoll_ctl(2)).</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    internal struct EpollEvent
    {
        public uint Events;
        public long Key;
    }
}
