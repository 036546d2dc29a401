using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Linux.Files;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>A guest of its own kernel, seen through its VMM.</summary>
/// <param name="snapshot">Where its snapshot is to be made; null where none is.</param>
internal sealed class FirecrackerGuest(
    FirecrackerMachine machine,
    VmDirectory directory,
    SnapshotDirectory? snapshot,
    SnapshotPolicy policy
) : IGuest
{
    private readonly SemaphoreSlim _one = new(1);
    private bool _paused;

    public Task<GuestExit> Exited => machine.Ended;

    public bool CanPause => true;

    public bool CanSnapshot => snapshot is not null;

    public bool CanFork => true;

    /// <summary>If it fails, the guest continues.</summary>
    public Task SnapshotAsync(CancellationToken cancellationToken) =>
        OneAtATimeAsync(() => WriteAsync(snapshot!, resumes: false, cancellationToken), cancellationToken);

    public Task ForkAsync(string path, CancellationToken cancellationToken) =>
        OneAtATimeAsync(() => WriteAsync(new SnapshotDirectory(path), resumes: !_paused, cancellationToken), cancellationToken);

    /// <summary>
    /// By the keys that a PC's guest may end at. A guest without a keyboard driver does not notice; the desktop's own way to end is the
    /// agent's, asked before.
    /// </summary>
    public Task RequestStopAsync(CancellationToken cancellationToken) =>
        OneAtATimeAsync(() => machine.Api.ActAsync(InstanceActionType.SendCtrlAltDel, cancellationToken), cancellationToken);

    public void Kill() => machine.Kill();

    public Task SetPausedAsync(bool paused, CancellationToken cancellationToken) =>
        OneAtATimeAsync(
            async () =>
            {
                if (_paused != paused)
                {
                    await machine.Api.PatchVmAsync(paused ? VmState.Paused : VmState.Resumed, cancellationToken);
                    _paused = paused;
                }
            },
            cancellationToken
        );

    // Memory and devices by the VMM, which stops the guest for it; then the disk, as it is at that moment.
    private async Task WriteAsync(SnapshotDirectory target, bool resumes, CancellationToken cancellationToken)
    {
        policy.Admit(target.Path, FileSystemType.Of(target.Path));
        var isWhole = false;
        try
        {
            await directory.ReceiveAsync(
                target,
                () => MachineSequence.SnapshotAsync(machine.Api, policy.Next(), policy.Deadline, cancellationToken)
            );
            await directory.CompleteAsync(target, cancellationToken);
            isWhole = true;
        }
        finally
        {
            if (machine.Ended.IsCompleted)
            {
                // Nothing is left to resume, and the reason is reported already.
            }
            else if (resumes || (!isWhole && !_paused))
            {
                await machine.Api.PatchVmAsync(VmState.Resumed, CancellationToken.None);
            }
            else
            {
                _paused = true;
            }
        }
    }

    private async Task OneAtATimeAsync(Func<Task> action, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await action();
        }
        finally
        {
            _one.Release();
        }
    }
}
