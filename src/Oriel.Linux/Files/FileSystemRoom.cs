using Oriel.Linux.Calls;

namespace Oriel.Linux.Files;

/// <summary>How large a file system is and what is left of it.</summary>
/// <param name="FreeBytes">To those without privileges.</param>
/// <param name="TotalFiles">Inodes; 0, as <paramref name="FreeFiles"/>, where the file system counts none.</param>
public readonly record struct FileSystemRoom(long TotalBytes, long FreeBytes, long TotalFiles, long FreeFiles)
{
    /// <param name="path">Anything on it.</param>
    /// <exception cref="LinuxException"/>
    public static FileSystemRoom Of(string path)
    {
        LinuxException.ThrowIfNegative(FileCalls.StatVfs(path, out var status), "statvfs", path);
        return new FileSystemRoom(
            (long)(status.Blocks * status.FragmentSize),
            (long)(status.BlocksAvailable * status.FragmentSize),
            (long)status.Files,
            (long)status.FilesAvailable
        );
    }
}
