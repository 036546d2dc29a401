using System.Runtime.InteropServices;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Processes;

/// <summary>
/// The second half of starting a child. A managed process cannot safely run its own code between fork and exec, so
/// <see cref="ChildReaper.Spawn"/> starts this executable again by posix_spawn; here, alone in a fresh process, the child takes its
/// session, terminal and credentials and becomes the command. The executable's Main calls <see cref="RunIfRequested"/> first of all.
/// </summary>
public static unsafe class ChildBootstrap
{
    internal const string Verb = "exec-child";

    private const int PrSetNoNewPrivileges = 38;
    private const int RLimitNoFile = 7;
    private const int SigSetMask = 2;
    private const int HighestStandardSignal = 31;
    private const int MaxMessageBytes = 16 * 1024 * 1024;

    /// <summary>The default of Debian's login; what .NET raises for itself makes programs that close every descriptor slow.</summary>
    private const ulong SoftDescriptorLimit = 1024;

    private enum Stage : byte
    {
        Start,
        Session,
        Terminal,
        NoNewPrivileges,
        Groups,
        Gid,
        Uid,
        WorkingDirectory,
        Exec,
    }

    /// <returns>False when this process was not started as a child's bootstrap. Otherwise it does not return.</returns>
    public static bool RunIfRequested(string[] args)
    {
        if (
            args is not [Verb, var message, var errors]
            || !int.TryParse(message, out var messageFd)
            || !int.TryParse(errors, out var errorFd)
        )
        {
            return false;
        }

        _ = DescriptorCalls.Fcntl(errorFd, DescriptorCalls.SetDescriptorFlags, DescriptorCalls.CloseOnExecFlag);
        var stage = Stage.Start;
        int errno;
        try
        {
            var request = SpawnMessage.Decode(ReadAll(messageFd));
            _ = DescriptorCalls.Close(messageFd);
            errno = Become(request, ref stage);
        }
        catch (Exception e) when (e is IOException or ArgumentException or OverflowException)
        {
            errno = Errno.EINVAL;
        }

        Report(errorFd, stage, errno);
        ProcessCalls.Exit(127);
        return true;
    }

    /// <summary>What a child's report means: which call refused what.</summary>
    internal static LinuxException Failure(ReadOnlySpan<byte> report, SpawnSpec spec)
    {
        var (call, subject) = (Stage)report[0] switch
        {
            Stage.Session => ("setsid", spec.Command),
            Stage.Terminal => ("ioctl", $"TIOCSCTTY of {spec.Command}"),
            Stage.NoNewPrivileges => ("prctl", $"PR_SET_NO_NEW_PRIVS of {spec.Command}"),
            Stage.Groups => ("setgroups", spec.Command),
            Stage.Gid => ("setresgid", spec.Command),
            Stage.Uid => ("setresuid", spec.Command),
            Stage.WorkingDirectory => ("chdir", $"to the working directory {spec.WorkingDirectory}"),
            Stage.Exec => ("execve", spec.Command),
            _ => (Verb, spec.Command),
        };
        return new LinuxException(call, report[1], subject);
    }

    private static int Become(SpawnMessage request, ref Stage stage)
    {
        ResetInheritedState();
        stage = Stage.Session;
        if (ProcessCalls.SetSid() < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        stage = Stage.Terminal;
        if (request.ControllingTerminal && DescriptorCalls.Ioctl(0, TerminalCalls.TakeControl, 0) < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        stage = Stage.NoNewPrivileges;
        if (request.NoNewPrivileges && ProcessCalls.Prctl(PrSetNoNewPrivileges, 1, 0, 0, 0) < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        stage = Stage.Groups;
        // SAFETY: the array is pinned for the call and its length is given.
        fixed (uint* groups = request.Groups)
        {
            if (ProcessCalls.SetGroups((nuint)request.Groups.Length, groups) < 0)
            {
                return Marshal.GetLastPInvokeError();
            }
        }

        stage = Stage.Gid;
        if (ProcessCalls.SetResGid(request.Gid, request.Gid, request.Gid) < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        stage = Stage.Uid;
        if (ProcessCalls.SetResUid(request.Uid, request.Uid, request.Uid) < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        stage = Stage.WorkingDirectory;
        if (ProcessCalls.ChDir(request.WorkingDirectory) < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        stage = Stage.Exec;
        return Execute(request);
    }

    private static void ResetInheritedState()
    {
        for (var signal = 1; signal <= HighestStandardSignal; signal++)
        {
            _ = ProcessCalls.Signal(signal, 0);
        }

        // SAFETY: a sigset_t is 128 bytes in glibc.
        var empty = stackalloc byte[128];
        _ = ProcessCalls.SigEmptySet(empty);
        _ = ProcessCalls.SigMask(SigSetMask, empty, null);
        // SAFETY: struct rlimit is two 64-bit words: soft, hard.
        var limit = stackalloc ulong[2];
        if (ProcessCalls.GetRLimit(RLimitNoFile, limit) == 0)
        {
            limit[0] = Math.Min(limit[1], SoftDescriptorLimit);
            _ = ProcessCalls.SetRLimit(RLimitNoFile, limit);
        }

        _ = ProcessCalls.UMask(0x12); // 022
    }

    private static int Execute(SpawnMessage request)
    {
        using var argv = new NativeStrings([request.Command, .. request.Arguments]);
        using var envp = new NativeStrings(request.Environment);
        var found = Errno.ENOENT;
        foreach (var candidate in Candidates(request))
        {
            using var path = new NativeStrings([candidate]);
            // SAFETY: all three are zero-terminated and live until execve returns, which it does only on failure.
            _ = ProcessCalls.ExecVe(path.Pointer[0], argv.Pointer, envp.Pointer);
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.ENOEXEC)
            {
                // POSIX execvp: a script without #! is the shell's.
                using var shell = new NativeStrings(["/bin/sh", candidate, .. request.Arguments]);
                _ = ProcessCalls.ExecVe(shell.Pointer[0], shell.Pointer, envp.Pointer);
            }

            if (errno is not (Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES))
            {
                return errno;
            }

            found = errno == Errno.EACCES ? errno : found;
        }

        return found;
    }

    private static IEnumerable<string> Candidates(SpawnMessage request)
    {
        if (request.Command.Contains('/'))
        {
            return [request.Command];
        }

        var path =
            request.Environment.FirstOrDefault(e => e.StartsWith("PATH=", StringComparison.Ordinal))?[5..]
            ?? "/usr/local/bin:/usr/bin:/bin";
        return path.Split(':').Where(directory => directory.Length > 0).Select(directory => $"{directory}/{request.Command}");
    }

    private static byte[] ReadAll(int fd)
    {
        var length = DescriptorCalls.Seek(fd, 0, 2);
        if (length is < 0 or > MaxMessageBytes || DescriptorCalls.Seek(fd, 0, 0) != 0)
        {
            throw new IOException("The bootstrap message is not there.");
        }

        var bytes = new byte[length];
        for (var done = 0; done < bytes.Length; )
        {
            var n = Fd.Read(fd, bytes.AsSpan(done), out _);
            if (n <= 0)
            {
                throw new IOException("The bootstrap message ended early.");
            }

            done += n;
        }

        return bytes;
    }

    // Two bytes; errno of Linux is below 256.
    private static void Report(int fd, Stage stage, int errno) => _ = Fd.Write(fd, [(byte)stage, (byte)errno], out _);
}
