using Oriel.Protocol;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>What the VMM's exit code says. Source: Firecracker's FcExitCode, and the shell's convention for signals.</summary>
internal static class FirecrackerExit
{
    /// <summary>The VMM's own codes, of which some are also a signal's.</summary>
    private const int FirstOwn = 148,
        LastOwn = 157;

    /// <summary>128 and the signal that leaves nobody time for a word.</summary>
    private const int Killed = 137;

    /// <param name="outOfMemory">The kernel has killed a process of the machine's cgroup for want of memory.</param>
    /// <param name="words">The last that the VMM said; reported where it explains its end.</param>
    public static GuestExit Judge(int exitCode, bool outOfMemory, string? words = null)
    {
        var exit =
            (exitCode is >= FirstOwn and <= LastOwn ? null : SignalExit.Judge(exitCode, outOfMemory, "the VMM"))
            ?? new GuestExit(ReasonCodes.GuestExited, Explain(exitCode));
        return words is null || exitCode is 0 or Killed ? exit : exit with { Detail = $"{exit.Detail}; its last words: {words}" };
    }

    public static string Explain(int exitCode) =>
        exitCode switch
        {
            0 => "the guest ended or rebooted",
            1 => "the VMM failed (exit code 1)",
            2 => "the VMM failed unexpectedly (exit code 2)",
            FirstOwn => "the VMM was ended by its own system-call filter (exit code 148)",
            149 => "the VMM met a bus error, as where a file that it has mapped became shorter (exit code 149)",
            150 => "the VMM met a segmentation fault (exit code 150)",
            151 => "the VMM reached a limit of file size (exit code 151)",
            152 => "the VMM refused its configuration (exit code 152)",
            153 => "the VMM refused its arguments (exit code 153)",
            >= 154 and <= LastOwn => $"the VMM ended at a signal (exit code {exitCode})",
            _ when SignalExit.SignalOf(exitCode) is { } signal => $"signal {signal}",
            _ => $"exit code {exitCode}",
        };
}
