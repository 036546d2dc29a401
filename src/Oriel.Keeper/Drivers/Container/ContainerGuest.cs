using System.Diagnostics;
using Oriel.Linux.Cgroups;
using Oriel.Linux.Children;
using Oriel.Protocol;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>The container's first process; with it the kernel ends all others of its pid namespace.</summary>
internal sealed class ContainerGuest(Process runtime, ProcessHandle init, Cgroup? cgroup) : IGuest
{
    private const int SigKill = 9;
    private const int SigTerm = 15;

    public Task<GuestExit> Exited { get; } = WatchAsync(runtime, cgroup);

    public bool CanPause => cgroup is { CanFreeze: true };

    public Task RequestStopAsync(CancellationToken cancellationToken)
    {
        init.Signal(SigTerm);
        return Task.CompletedTask;
    }

    public void Kill() => init.Signal(SigKill);

    public Task SetPausedAsync(bool paused, CancellationToken cancellationToken)
    {
        cgroup!.Freeze(paused);
        return Task.CompletedTask;
    }

    private static async Task<GuestExit> WatchAsync(Process runtime, Cgroup? cgroup)
    {
        await runtime.WaitForExitAsync();
        return SignalExit.Judge(runtime.ExitCode, cgroup?.OutOfMemoryKills() > 0, "it")
            ?? new GuestExit(ReasonCodes.GuestExited, $"exit code {runtime.ExitCode}");
    }
}
