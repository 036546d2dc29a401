using System.Runtime.InteropServices;
using Oriel.Linux.Files;
using Oriel.Linux.Processes;

namespace Oriel.Linux.Polling;

/// <summary>A named pipe whose reader is here; any process that opens its path writes into it.</summary>
public static partial class NamedPipe
{
    /// <summary>Makes the pipe and opens it for reading. It never ends, as it is open for writing too: writers come and go.</summary>
    /// <exception cref="LinuxException">EEXIST: there is something of this name.</exception>
    public static AsyncDescriptor CreateReader(string path, UnixFileMode mode)
    {
        if (mkfifo(path, 0) != 0)
        {
            throw LinuxException.Last("mkfifo", path);
        }

        // Not by mkfifo, from which the process's mask is taken away.
        File.SetUnixFileMode(path, mode);
        var fd = FileCalls.OpenAt(
            FileCalls.AtFdCwd,
            path,
            FileCalls.ReadWrite | FileCalls.NonBlocking | FileCalls.NoFollow | FileCalls.CloseOnExec,
            0
        );
        return fd >= 0 ? new AsyncDescriptor(new OwnedDescriptor(fd)) : throw LinuxException.Last("open", path);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string path, uint mode);
}
