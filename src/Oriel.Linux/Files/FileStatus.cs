using System.Buffers.Binary;

namespace Oriel.Linux.Files;

/// <summary>What statx(2) says of a file.</summary>
/// <param name="Mode">Permission bits only (07777).</param>
/// <param name="ModifiedUs">Microseconds since 1970.</param>
public readonly record struct FileStatus(FileKind Kind, uint Mode, uint Uid, uint Gid, long Size, long ModifiedUs)
{
    // struct statx, linux/stat.h: uid 20, gid 24, mode 28, size 40, mtime 112 (seconds, nanoseconds); the same on all architectures.
    internal static FileStatus Parse(ReadOnlySpan<byte> statx)
    {
        var mode = BinaryPrimitives.ReadUInt16LittleEndian(statx[28..]);
        var kind = (mode & 0xf000) switch
        {
            0x8000 => FileKind.Regular,
            0x4000 => FileKind.Directory,
            0xa000 => FileKind.SymbolicLink,
            _ => FileKind.Other,
        };
        return new FileStatus(
            kind,
            (uint)mode & 0xfff,
            BinaryPrimitives.ReadUInt32LittleEndian(statx[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(statx[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(statx[40..]),
            (BinaryPrimitives.ReadInt64LittleEndian(statx[112..]) * 1_000_000) + (BinaryPrimitives.ReadUInt32LittleEndian(statx[120..]) / 1000));
    }
}

public enum FileKind
{
    Regular,
    Directory,
    SymbolicLink,
    Other,
}

/// <summary>A component of the path is a symbolic link, which is not followed.</summary>
public sealed class SymbolicLinkException(string path) : IOException($"{path} is a symbolic link")
{
    public string Path { get; } = path;
}
