using System.Runtime.InteropServices;

namespace Oriel.Linux.Pty;

internal static partial class PtyCalls
{
    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    internal static partial int OpenMaster(int flags);
}
