using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Oriel.Linux.Children;

/// <summary>A process held by a pidfd (pidfd_open(2), Linux 5.3): a signal never goes to another that has got its number since.</summary>
public sealed partial class ProcessHandle : IDisposable
{
    private readonly SafeFileHandle _handle;

    private ProcessHandle(int pid, SafeFileHandle handle)
    {
        Pid = pid;
        _handle = handle;
    }

    public int Pid { get; }

    /// <exception cref="Win32Exception">There is no such process.</exception>
    public static ProcessHandle Open(int pid)
    {
        var handle = new SafeFileHandle(pidfd_open(pid, 0), ownsHandle: true);
        if (handle.IsInvalid)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"There is no process {pid}.");
        }

        return new ProcessHandle(pid, handle);
    }

    /// <summary>Sends a signal; does nothing where the process has ended.</summary>
    public void Signal(int signal) => _ = pidfd_send_signal((int)_handle.DangerousGetHandle(), signal, 0, 0);

    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pidfd_open(int pid, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pidfd_send_signal(int pidfd, int signal, nint info, uint flags);
}
