using Oriel.Linux.Files;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;

namespace Oriel.Linux.Pty;

/// <summary>
/// A pseudo-terminal: the master is ours, the slave is for a child (as its three standard streams and controlling terminal).
/// </summary>
public sealed unsafe class PseudoTerminal : IDisposable
{
    // asm-generic/ioctls.h
    private const nuint SetWindowSize = 0x5414;
    private const nuint SetLock = 0x40045431;
    private const nuint OpenPeer = 0x5441;

    private const int ReadWrite = 2;
    private const int NoControllingTerminal = 0x100;
    private const int CloseOnExec = 0x80000;

    private PseudoTerminal(AsyncDescriptor master, OwnedDescriptor slave) => (Master, Slave) = (master, slave);

    public AsyncDescriptor Master { get; }

    /// <summary>To be disposed when the child has it: the master ends when the last slave is closed.</summary>
    public OwnedDescriptor Slave { get; }

    /// <param name="owner">Gets the slave, mode 0620, so that the child can open its terminal by name.</param>
    /// <exception cref="LinuxException"/>
    public static PseudoTerminal Open(Credentials owner, int columns, int rows)
    {
        var fd = PtyCalls.OpenMaster(ReadWrite | NoControllingTerminal | CloseOnExec);
        if (fd < 0)
        {
            throw LinuxException.Last("posix_openpt");
        }

        var master = new OwnedDescriptor(fd);
        try
        {
            var unlocked = 0;
            // SAFETY: TIOCSPTLCK reads one int.
            Check(ProcessCalls.Ioctl(fd, SetLock, (nint)(&unlocked)), "TIOCSPTLCK");
            var slaveFd = ProcessCalls.Ioctl(fd, OpenPeer, ReadWrite | NoControllingTerminal | CloseOnExec);
            Check(slaveFd, "TIOCGPTPEER");
            var slave = new OwnedDescriptor(slaveFd);
            Check(FileCalls.FChown(slaveFd, owner.Uid, owner.Gid), "fchown");
            Check(FileCalls.FChmod(slaveFd, 0x190), "fchmod"); // 0620
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
        Check(ProcessCalls.Ioctl(Master.Descriptor.Value, SetWindowSize, (nint)size), "TIOCSWINSZ");
    }

    public void Dispose()
    {
        Slave.Dispose();
        Master.Dispose();
    }

    private static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw LinuxException.Last("ioctl", call);
        }
    }
}
