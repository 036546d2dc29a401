using System.Runtime.InteropServices;

namespace Oriel.Linux.Files;

/// <summary>What kind of file system something lies on, by its magic number (statfs(2), linux/magic.h).</summary>
public readonly partial record struct FileSystemType(long Magic)
{
    public static readonly FileSystemType Tmpfs = new(0x01021994);
    public static readonly FileSystemType Ramfs = new(0x858458F6);

    /// <summary>Its files are pages of memory that cannot be given back, and count as memory of whoever wrote them.</summary>
    public bool IsMemory => this == Tmpfs || this == Ramfs;

    /// <param name="path">Anything on it.</param>
    /// <exception cref="LinuxException"/>
    public static unsafe FileSystemType Of(string path)
    {
        // SAFETY: struct statfs is 120 bytes on x86-64, of which the first word is f_type.
        var words = stackalloc long[16];
        return StatFs(path, words) == 0 ? new FileSystemType(words[0]) : throw LinuxException.Last("statfs", path);
    }

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatFs(string path, long* result);
}
