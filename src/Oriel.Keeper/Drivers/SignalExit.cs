using Oriel.Protocol;

namespace Oriel.Keeper.Drivers;

/// <summary>
/// Exit codes that name a signal: 128 and its number, as a shell's. So do crun's for its container and .NET's for a child of ours.
/// </summary>
internal static class SignalExit
{
    private const int Base = 128,
        Highest = 64,
        SigKill = 9;

    /// <returns>Null when the code names no signal.</returns>
    public static int? SignalOf(int exitCode) => exitCode is > Base and <= Base + Highest ? exitCode - Base : null;

    /// <param name="outOfMemory">The kernel has killed a process of the guest's cgroup for want of memory.</param>
    /// <param name="victim">What the process is called in the reason.</param>
    /// <returns>Null when it ended by itself.</returns>
    public static GuestExit? Judge(int exitCode, bool outOfMemory, string victim) =>
        SignalOf(exitCode) switch
        {
            null => null,
            SigKill when outOfMemory => new GuestExit(ReasonCodes.OutOfMemory, $"the kernel killed {victim} for want of memory"),
            { } signal => new GuestExit(ReasonCodes.GuestKilled, $"signal {signal}"),
        };
}
