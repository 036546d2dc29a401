using Oriel.Linux.Cgroups;
using Oriel.Linux.Children;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>The container's first process; with it the kernel ends all others of its pid namespace.</summary>
internal sealed class ContainerGuest(AdoptedChild init, Cgroup? cgroup) : IGuest
{
    private const int SigKill = 9;
    private const int SigTerm = 15;

    public Task<GuestExit> Exited { get; } = WatchAsync(init, cgroup);

    public bool CanPause => cgroup is { CanFreeze: true };

    public void RequestStop() => init.Signal(SigTerm);

    public void Kill() => init.Signal(SigKill);

    public void SetPaused(bool paused) => cgroup!.Freeze(paused);

    private static async Task<GuestExit> WatchAsync(AdoptedChild init, Cgroup? cgroup)
    {
        var exit = await init.Exited.ConfigureAwait(false);
        if (exit.Signal is not { } signal)
        {
            return new GuestExit("guest-exited", $"exit code {exit.ExitCode}");
        }

        return signal == SigKill && cgroup?.OutOfMemoryKills() > 0
            ? new GuestExit("oom", "the kernel killed it for want of memory")
            : new GuestExit("guest-killed", $"signal {signal}");
    }
}
