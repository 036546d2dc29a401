using System.Globalization;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Children;

/// <summary>A process held by a pidfd (pidfd_open(2), Linux 5.3): a signal never goes to another that has got its number since.</summary>
public sealed class ProcessHandle : IDisposable
{
    private readonly OwnedDescriptor _handle;

    private ProcessHandle(int pid, OwnedDescriptor handle)
    {
        Pid = pid;
        _handle = handle;
    }

    public int Pid { get; }

    /// <exception cref="LinuxException">ESRCH: there is no such process.</exception>
    public static ProcessHandle Open(int pid)
    {
        var fd = LinuxException.ThrowIfNegative(
            ProcessCalls.PidFdOpen(pid, 0),
            "pidfd_open",
            string.Create(CultureInfo.InvariantCulture, $"{pid}")
        );
        return new ProcessHandle(pid, new OwnedDescriptor(fd));
    }

    /// <summary>Sends a signal; does nothing where the process has ended.</summary>
    public void Signal(int signal) => _ = ProcessCalls.PidFdSendSignal(_handle.Value, signal, 0, 0);

    public void Dispose() => _handle.Dispose();
}
