namespace Oriel.Keeper.Drivers.Qemu;

/// <summary>
/// A machine that QEMU has stopped because this host's disk took no more of its scratch disk (<c>werror=enospc</c>): what it was about to
/// write waits in QEMU. It goes on once there is room; reported to the guest instead, it would be lost, as no guest keeps what its disk
/// refused.
/// </summary>
/// <param name="room">Free where the scratch disk lies, in bytes.</param>
/// <param name="between">From one look to the next.</param>
internal sealed class QemuHalts(QmpClient qmp, Func<long> room, TimeSpan between)
{
    /// <summary>Enough for what waits, and for some seconds of more.</summary>
    public const long LeastRoom = 64L << 20;

    private volatile bool _isPaused;

    /// <summary>It was paused on request, and whoever asked will resume it: this does not.</summary>
    public bool IsPaused
    {
        set => _isPaused = value;
    }

    /// <summary>Ends by cancellation, or with QEMU.</summary>
    /// <param name="report">Gets true when the machine is halted, and false when it runs again.</param>
    public async Task FollowAsync(Action<bool> report, CancellationToken cancellationToken)
    {
        try
        {
            while (await qmp.Halts.WaitToReadAsync(cancellationToken))
            {
                report(true);
                while (qmp.Halts.TryRead(out _))
                {
                    await ResumeAsync(cancellationToken);
                }

                report(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The desktop ends.
        }
    }

    private async Task ResumeAsync(CancellationToken cancellationToken)
    {
        do
        {
            await Task.Delay(between, cancellationToken);
        } while (room() < LeastRoom);
        if (!_isPaused)
        {
            await qmp.ExecuteAsync("cont", cancellationToken);
        }

        // What waited is tried again first: were it refused again, QEMU would say so by now.
        await Task.Delay(between, cancellationToken);
    }
}
