using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Linux.Cgroups;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>A guest of its own kernel, seen through its VMM.</summary>
internal sealed class FirecrackerGuest(FirecrackerMachine machine, Cgroup? cgroup) : IGuest
{
    private readonly SemaphoreSlim _one = new(1);
    private bool _paused;

    public Task<GuestExit> Exited { get; } = WatchAsync(machine, cgroup);

    public bool CanPause => true;

    /// <summary>
    /// By the keys that a PC's guest may end at. A guest without a keyboard driver does not notice; the desktop's own way to end is the
    /// agent's, asked before.
    /// </summary>
    public Task RequestStopAsync(CancellationToken cancellationToken) => OneAtATimeAsync(() => machine.Api.ActAsync(InstanceActionType.SendCtrlAltDel, cancellationToken), cancellationToken);

    public void Kill() => machine.Kill();

    public Task SetPausedAsync(bool paused, CancellationToken cancellationToken) => OneAtATimeAsync(
        async () =>
        {
            if (_paused != paused)
            {
                await machine.Api.PatchVmAsync(paused ? VmState.Paused : VmState.Resumed, cancellationToken).ConfigureAwait(false);
                _paused = paused;
            }
        },
        cancellationToken);

    private static async Task<GuestExit> WatchAsync(FirecrackerMachine machine, Cgroup? cgroup)
    {
        var exit = FirecrackerExit.Judge(await machine.WaitForExitAsync().ConfigureAwait(false), cgroup?.OutOfMemoryKills() > 0);
        await machine.DisposeAsync().ConfigureAwait(false);
        return exit;
    }

    private async Task OneAtATimeAsync(Func<Task> action, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await action().ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }
}
