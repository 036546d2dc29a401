using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;

namespace Oriel.Linux.Pty;

/// <summary>
/// A pseudo-terminal: the master is ours, the slave is for a child (as its three standard streams and controlling terminal).
/// </summary>
public sealed unsafe class PseudoTerminal : IDisposable
{
    private const int OpenFlags = FileCalls.ReadWrite | FileCalls.NoControllingTerminal | FileCalls.CloseOnExec;

    private PseudoTerminal(AsyncDescriptor master, OwnedDescriptor slave) => (Master, Slave) = (master, slave);

    public AsyncDescriptor Master { get; }

    /// <summary>To be disposed when the child has it: the master ends when the last slave is closed.</summary>
    public OwnedDescriptor Slave { get; }

    /// <param name="owner">Gets the slave, mode 0620, so that the child can open its terminal by name.</param>
    /// <exception cref="LinuxException"/>
    public static PseudoTerminal Open(Credentials owner, int columns, int rows)
    {
        var fd = LinuxException.ThrowIfNegative(TerminalCalls.OpenMaster(OpenFlags), "posix_openpt");
        var master = new OwnedDescriptor(fd);
        try
        {
            var unlocked = 0;
            // SAFETY: TIOCSPTLCK reads one int.
            LinuxException.ThrowIfNegative(DescriptorCalls.Ioctl(fd, TerminalCalls.SetLock, (nint)(&unlocked)), "ioctl", "TIOCSPTLCK");
            var slaveFd = DescriptorCalls.Ioctl(fd, TerminalCalls.OpenPeer, OpenFlags);
            LinuxException.ThrowIfNegative(slaveFd, "ioctl", "TIOCGPTPEER");
            var slave = new OwnedDescriptor(slaveFd);
            LinuxException.ThrowIfNegative(FileCalls.FChown(slaveFd, owner.Uid, owner.Gid), "fchown");
            LinuxException.ThrowIfNegative(FileCalls.FChmod(slaveFd, 0x190), "fchmod"); // 0620
            var terminal = new PseudoTerminal(new AsyncDescriptor(master), slave);
            terminal.Resize(columns, rows);
            return terminal;
        }
        catch
        {
            master.Dispose();
            throw;
        }
    }

    /// <summary>Tells the new size to the terminal's foreground processes (SIGWINCH).</summary>
    public void Resize(int columns, int rows)
    {
        // SAFETY: struct winsize is four 16-bit words: rows, columns, and two that nobody uses.
        var size = stackalloc ushort[] { (ushort)rows, (ushort)columns, 0, 0 };
        var fd = Master.Descriptor.Value;
        LinuxException.ThrowIfNegative(DescriptorCalls.Ioctl(fd, TerminalCalls.SetWindowSize, (nint)size), "ioctl", "TIOCSWINSZ");
    }

    public void Dispose()
    {
        Slave.Dispose();
        Master.Dispose();
    }
}
