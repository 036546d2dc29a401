using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

internal static partial class TerminalCalls
{
    // ioctl_tty(2): TIOCSCTTY, TIOCSWINSZ, TIOCSPTLCK, TIOCGPTPEER
    internal const nuint TakeControl = 0x540E;
    internal const nuint SetWindowSize = 0x5414;
    internal const nuint SetLock = 0x40045431;
    internal const nuint OpenPeer = 0x5441;

    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    internal static partial int OpenMaster(int flags);
}
