using System.Runtime.InteropServices;

namespace Oriel.Linux.Files;

/// <summary>How large a file system is and what is left of it.</summary>
/// <param name="FreeBytes">To those without privileges.</param>
/// <param name="TotalFiles">Inodes; 0, as <paramref name="FreeFiles"/>, where the file system counts none.</param>
public readonly partial record struct FileSystemRoom(long TotalBytes, long FreeBytes, long TotalFiles, long FreeFiles)
{
    /// <param name="path">Anything on it.</param>
    /// <exception cref="LinuxException"/>
    public static unsafe FileSystemRoom Of(string path)
    {
        // SAFETY: struct statvfs is 112 bytes on x86-64, of which the first eight words are f_bsize, f_frsize, f_blocks, f_bfree, f_bavail,
        // f_files, f_ffree, f_favail.
        var words = stackalloc ulong[16];
        if (StatVfs(path, words) != 0)
        {
            throw LinuxException.Last("statvfs", path);
        }

        var unit = words[1];
        return new FileSystemRoom((long)(words[2] * unit), (long)(words[4] * unit), (long)words[5], (long)words[7]);
    }

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatVfs(string path, ulong* result);
}
