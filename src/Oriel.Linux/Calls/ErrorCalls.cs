using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

internal static partial class ErrorCalls
{
    /// <summary>A constant string such as "EPERM"; null for a number that is none (strerrorname_np(3), glibc 2.32).</summary>
    [LibraryImport("libc", EntryPoint = "strerrorname_np")]
    internal static partial nint NameOf(int errno);
}
