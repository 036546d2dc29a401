using Oriel.Linux.Calls;

namespace Oriel.Linux.Files;

/// <summary>What kind of file system something lies on, by its magic number (statfs(2), linux/magic.h).</summary>
public readonly record struct FileSystemType(long Magic)
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
        LinuxException.ThrowIfNegative(FileCalls.StatFs(path, words), "statfs", path);
        return new FileSystemType(words[0]);
    }
}
