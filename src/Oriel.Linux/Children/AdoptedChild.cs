using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Oriel.Linux.Children;

/// <summary>How a process ended.</summary>
/// <param name="ExitCode">Null where a signal ended it.</param>
/// <param name="Signal">Null where it exited by itself.</param>
public readonly record struct ChildExit(int? ExitCode, int? Signal);

/// <summary>
/// A child that this process did not start by itself but inherited, being init of its pid namespace (a container runtime starts the
/// container's first process and goes). The owner is told once when it ends.
/// </summary>
public sealed partial class AdoptedChild
{
    private const int WaitByPid = 1;
    private const int WaitExited = 4;
    private const int Interrupted = 4;
    private const int CodeExited = 1;
    private const int SigInfoSize = 128;

    private readonly Lock _gate = new();
    private bool _reaped;

    private AdoptedChild(int pid)
    {
        Pid = pid;
        Exited = Task.Factory.StartNew(WaitForExit, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach);
    }

    public int Pid { get; }

    public Task<ChildExit> Exited { get; }

    public static AdoptedChild Watch(int pid) => new(pid);

    /// <summary>Sends a signal, unless the process has been reaped (its number may then be another's).</summary>
    public void Signal(int signal)
    {
        lock (_gate)
        {
            if (!_reaped)
            {
                _ = kill(Pid, signal);
            }
        }
    }

    private unsafe ChildExit WaitForExit()
    {
        const int doNotReap = 0x01000000;
        var info = stackalloc int[SigInfoSize / sizeof(int)];
        // SAFETY: info is the 128 bytes that siginfo_t takes on Linux (asm-generic/siginfo.h); waitid writes no more.
        Wait(info, WaitExited | doNotReap);
        lock (_gate)
        {
            Wait(info, WaitExited);
            _reaped = true;
        }

        // siginfo_t on 64-bit: signo, errno, code, pad, pid, uid, status.
        var status = info[6];
        return info[2] == CodeExited ? new ChildExit(status, null) : new ChildExit(null, status);
    }

    private unsafe void Wait(int* info, int options)
    {
        while (waitid(WaitByPid, (uint)Pid, info, options) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno != Interrupted)
            {
                throw new Win32Exception(errno, $"waitid of {Pid} failed");
            }
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int waitid(int idType, uint id, int* info, int options);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);
}
