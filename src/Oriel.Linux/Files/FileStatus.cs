using System.Buffers.Binary;

namespace Oriel.Linux.Files;

/// <summary>What statx(2) says of a file.</summary>
/// <param name="Mode">Permission bits only (07777).</param>
/// <param name="ModifiedUs">Microseconds since 1970.</param>
/// <param name="ChangedUs">The same of the last change of content or status, which nobody can set.</param>
public readonly record struct FileStatus(FileKind Kind, uint Mode, uint Uid, uint Gid, long Size, long ModifiedUs, long ChangedUs)
{
    // struct statx, linux/stat.h: uid 20, gid 24, mode 28, size 40, ctime 96, mtime 112 (seconds, nanoseconds); the same on all
    // architectures.
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
            MicrosecondsOf(statx[112..]),
            MicrosecondsOf(statx[96..])
        );
    }

    private static long MicrosecondsOf(ReadOnlySpan<byte> time) =>
        (BinaryPrimitives.ReadInt64LittleEndian(time) * 1_000_000) + (BinaryPrimitives.ReadUInt32LittleEndian(time[8..]) / 1000);
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
