using System.Runtime.InteropServices;

namespace Oriel.Linux.Processes;

/// <summary>Who a child runs as.</summary>
public sealed record Credentials(uint Uid, uint Gid, IReadOnlyList<uint> Groups);

/// <summary>
/// A child that is to be started. It always leads a session and process group of its own, with default signal dispositions, an empty
/// signal mask, umask 022, and no descriptors but those named here.
/// </summary>
/// <param name="Command">A path (with a slash), or a name that is looked for in the PATH of <paramref name="Environment"/>.</param>
/// <param name="Arguments">Without argv[0], which is <paramref name="Command"/>.</param>
/// <param name="Environment">The whole environment; nothing is inherited.</param>
public sealed record SpawnSpec(
    string Command,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    Credentials Credentials
)
{
    /// <summary>Entered as the child's own user; must exist.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>Default: /dev/null.</summary>
    public SafeHandle? Stdin { get; init; }

    /// <summary>Default: this process's own standard output.</summary>
    public SafeHandle? Stdout { get; init; }

    /// <summary>Default: this process's own standard error.</summary>
    public SafeHandle? Stderr { get; init; }

    /// <summary>Further descriptors; the first becomes descriptor 3, and so on. At most 16.</summary>
    public IReadOnlyList<SafeHandle> Inherited { get; init; } = [];

    /// <summary>Makes standard input the session's controlling terminal (it must be a terminal).</summary>
    public bool ControllingTerminal { get; init; }

    /// <summary>No program that it starts can gain privileges (set-uid, file capabilities). Default: false, so that sudo works.</summary>
    public bool NoNewPrivileges { get; init; }
}

/// <summary>How a child ended.</summary>
/// <param name="ExitCode">0-255, or 128 + the signal's number.</param>
/// <param name="Signal">0 = it exited by itself.</param>
public readonly record struct ChildExit(int ExitCode, int Signal)
{
    private const int HighestSignal = 64;

    public static ChildExit FromWaitStatus(int status)
    {
        var signal = status & 0x7f;
        return signal == 0 ? new ChildExit((status >> 8) & 0xff, 0) : new ChildExit(128 + signal, signal);
    }

    /// <summary>Of a code that a shell or the runtime tells, which adds 128 to a signal's number.</summary>
    public static ChildExit FromExitCode(int code) => new(code, code is > 128 and <= 128 + HighestSignal ? code - 128 : 0);

    public override string ToString() => Signal == 0 ? $"exit code {ExitCode}" : $"signal {Signal}";
}
