using System.Diagnostics;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Linux.Cgroups;
using Oriel.Protocol;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Drivers.Qemu;

/// <summary>A running QEMU.</summary>
/// <param name="memoryBytes">Of the guest.</param>
/// <param name="snapshot">Where its snapshot is to be made, whose memory it has already; null where none is.</param>
internal sealed class QemuGuest(
    Process process,
    QmpClient qmp,
    Cgroup? cgroup,
    long memoryBytes,
    VmDirectory directory,
    SnapshotDirectory? snapshot,
    QemuHalts halts
) : IGuest
{
    public Task<GuestExit> Exited { get; } = WatchAsync(process, qmp, cgroup);

    public bool CanPause => true;

    public bool CanSnapshot => snapshot is not null;

    public async Task SnapshotAsync(CancellationToken cancellationToken)
    {
        await QemuSnapshot.SaveAsync(qmp, snapshot!.State, memoryBytes: 0, cancellationToken);
        await directory.CompleteAsync(snapshot, cancellationToken);
    }

    public bool CanFork => snapshot is null;

    public async Task ForkAsync(string path, CancellationToken cancellationToken)
    {
        var fork = new SnapshotDirectory(path);
        halts.IsPaused = true;
        try
        {
            await QemuSnapshot.SaveAsync(qmp, fork.State, memoryBytes, cancellationToken);
            await directory.CompleteAsync(fork, cancellationToken);
        }
        finally
        {
            halts.IsPaused = false;
            // Also from the end of a migration, which QEMU takes as having handed its disks over: it takes them back.
            await qmp.ExecuteAsync("cont", CancellationToken.None);
        }
    }

    public Task RequestStopAsync(CancellationToken cancellationToken) => qmp.ExecuteAsync("system_powerdown", cancellationToken);

    public void Kill() => process.Kill();

    public Task SetPausedAsync(bool paused, CancellationToken cancellationToken)
    {
        halts.IsPaused = paused;
        return qmp.ExecuteAsync(paused ? "stop" : "cont", cancellationToken);
    }

    public Task FollowHaltsAsync(Action<bool> report, CancellationToken cancellationToken) => halts.FollowAsync(report, cancellationToken);

    internal static GuestExit ExitOf(int exitCode, string? shutdownReason, bool outOfMemory) =>
        SignalExit.Judge(exitCode, outOfMemory, "QEMU")
        ?? new GuestExit(
            ReasonCodes.GuestExited,
            (exitCode, shutdownReason) switch
            {
                (0, "guest-shutdown") => "the guest switched itself off",
                (0, "guest-reset" or "guest-panic") => "the guest's kernel ended (panic or reset)",
                _ => $"QEMU ended with code {exitCode}{(shutdownReason is null ? "" : $" ({shutdownReason})")}",
            }
        );

    private static async Task<GuestExit> WatchAsync(Process process, QmpClient qmp, Cgroup? cgroup)
    {
        await process.WaitForExitAsync();
        await qmp.DisposeAsync();
        return ExitOf(process.ExitCode, qmp.ShutdownReason, cgroup?.OutOfMemoryKills() > 0);
    }
}
