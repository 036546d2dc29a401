using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

/// <summary>Sockets of families that the runtime does not know.</summary>
internal static partial class SocketCalls
{
    internal const int FamilyNetlink = 16;
    internal const int Datagram = 2;
    internal const int CloseOnExec = 0x80000;
    internal const int NetlinkRoute = 0;

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    internal static partial int Socket(int family, int type, int protocol);
}
