using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

internal static partial class MemoryCalls
{
    // mmap(2)
    internal const int ReadWrite = 3;
    internal const int ReadExecute = 5;
    internal const int Shared = 1;
    internal const int Private = 2;
    internal const int Anonymous = 0x20;

    // shmget(2), shmctl(2)
    internal const int NoKey = 0;
    internal const int CreateSegment = 0x200;
    internal const int RemoveSegment = 0;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    internal static partial nint Map(nint address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    internal static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "shmget", SetLastError = true)]
    internal static partial int GetSegment(int key, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "shmat", SetLastError = true)]
    internal static partial nint AttachSegment(int id, nint address, int flags);

    [LibraryImport("libc", EntryPoint = "shmdt", SetLastError = true)]
    internal static partial int DetachSegment(nint address);

    [LibraryImport("libc", EntryPoint = "shmctl", SetLastError = true)]
    internal static partial int ControlSegment(int id, int command, nint buffer);
}
