namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>What the VMM's exit code says. Source: Firecracker's FcExitCode, and the shell's convention for signals.</summary>
internal static class FirecrackerExit
{
    private const int SignalBase = 128;
    private const int HighestSignal = 64;
    private const int SigKill = 9;
    private const int BadSystemCall = 148;

    /// <param name="outOfMemory">The kernel has killed a process of the machine's cgroup for want of memory.</param>
    public static GuestExit Judge(int exitCode, bool outOfMemory) => exitCode switch
    {
        0 => new GuestExit("guest-exited", Explain(exitCode)),
        SignalBase + SigKill when outOfMemory => new GuestExit("oom", "the kernel killed the VMM for want of memory"),
        _ when SignalOf(exitCode) is not null => new GuestExit("guest-killed", Explain(exitCode)),
        _ => new GuestExit("guest-exited", Explain(exitCode)),
    };

    public static string Explain(int exitCode) => exitCode switch
    {
        0 => "the guest ended or rebooted",
        1 => "the VMM failed (exit code 1)",
        2 => "the VMM failed unexpectedly (exit code 2)",
        BadSystemCall => "the VMM was ended by its own system-call filter (exit code 148)",
        149 => "the VMM met a bus error, as where a file that it has mapped became shorter (exit code 149)",
        150 => "the VMM met a segmentation fault (exit code 150)",
        151 => "the VMM reached a limit of file size (exit code 151)",
        152 => "the VMM refused its configuration (exit code 152)",
        153 => "the VMM refused its arguments (exit code 153)",
        >= 154 and <= 157 => $"the VMM ended at a signal (exit code {exitCode})",
        _ when SignalOf(exitCode) is { } signal => $"signal {signal}",
        _ => $"exit code {exitCode}",
    };

    // 148 to 157 are the VMM's own, although they look like signals.
    private static int? SignalOf(int exitCode) => exitCode is > SignalBase and < BadSystemCall or > 157 and <= SignalBase + HighestSignal ? exitCode - SignalBase : null;
}
