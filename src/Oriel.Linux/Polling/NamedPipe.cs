using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Polling;

/// <summary>A named pipe whose reader is here; any process that opens its path writes into it.</summary>
public static class NamedPipe
{
    /// <summary>Makes the pipe and opens it for reading. It never ends, as it is open for writing too: writers come and go.</summary>
    /// <exception cref="LinuxException">EEXIST: there is something of this name.</exception>
    public static AsyncDescriptor CreateReader(string path, UnixFileMode mode)
    {
        LinuxException.ThrowIfNegative(FileCalls.MakePipe(path, 0), "mkfifo", path);
        // Not by mkfifo, from which the process's mask is taken away.
        File.SetUnixFileMode(path, mode);
        return new AsyncDescriptor(Fd.Open(path, FileCalls.ReadWrite | FileCalls.NonBlocking | FileCalls.NoFollow));
    }
}
