using Oriel.Keeper.Drivers;
using Oriel.Keeper.Events;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Service;

/// <summary>
/// What commands ask of the guest: one at a time, and each change of its machine is reported before the command is answered.
/// </summary>
internal sealed class GuestControl(EventLog events)
{
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _ending = new();
    private IGuest? _guest;
    private bool _isPaused;
    private bool _isHalted;
    private MachineState _reported = MachineState.Running;

    /// <summary>Its memory is a snapshot's now: it must not run another instruction.</summary>
    private volatile bool _isSaved;

    /// <summary>From here on there is a guest to ask.</summary>
    public void Take(IGuest guest) => Volatile.Write(ref _guest, guest);

    /// <summary>Follows a machine that is halted while this host's disk is full.</summary>
    public Task FollowHaltsAsync(IGuest guest, CancellationToken cancellationToken) =>
        guest.FollowHaltsAsync(halted => Report(() => _isHalted = halted), cancellationToken);

    /// <returns>Why it could not be done; null = it was.</returns>
    public Task<string?> SetPausedAsync(bool paused, CancellationToken cancellationToken) =>
        ChangeAsync(
            async (guest, token) =>
            {
                if (!guest.CanPause)
                {
                    throw new IOException($"this host offers no cgroup to freeze; {KeeperAdvice.Cgroup}");
                }

                await guest.SetPausedAsync(paused, token);
                Report(() => _isPaused = paused);
            },
            cancellationToken
        );

    /// <returns>As <see cref="SetPausedAsync"/>.</returns>
    public Task<string?> SaveAsync(CancellationToken cancellationToken) =>
        ChangeAsync(
            async (guest, token) =>
            {
                await (guest.CanSnapshot ? guest.SnapshotAsync(token) : throw new IOException("this guest cannot be copied"));
                // Before it is reported: from then on nothing may resume it.
                Report(() => _isSaved = true);
            },
            cancellationToken
        );

    /// <returns>As <see cref="SetPausedAsync"/>.</returns>
    public Task<string?> ForkAsync(string directory, CancellationToken cancellationToken) =>
        ChangeAsync(
            (guest, token) => guest.CanFork ? guest.ForkAsync(directory, token) : throw new IOException("this guest cannot be copied"),
            cancellationToken
        );

    /// <summary>
    /// Ends the guest: what is being asked of it is given up, then it is asked to end, and killed when <paramref name="deadline"/> has
    /// passed.
    /// </summary>
    /// <returns>False where there is none yet.</returns>
    public async Task<bool> StopAsync(TimeSpan deadline)
    {
        if (Volatile.Read(ref _guest) is not { } guest)
        {
            return false;
        }

        if (_isSaved)
        {
            guest.Kill();
            return true;
        }

        using var limit = new CancellationTokenSource(deadline);
        try
        {
            await _ending.CancelAsync();
            await _turn.WaitAsync(limit.Token);
            if (guest.CanPause)
            {
                // A halted guest hears nothing.
                await guest.SetPausedAsync(false, limit.Token);
            }

            await guest.RequestStopAsync(limit.Token);
            await guest.Exited.WaitAsync(limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            guest.Kill();
        }

        return true;
    }

    private async Task<string?> ChangeAsync(Func<IGuest, CancellationToken, Task> change, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ending.Token);
        try
        {
            await _turn.WaitAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            return "the guest is being ended";
        }

        try
        {
            var guest = Volatile.Read(ref _guest) ?? throw new IOException("there is no guest yet");
            await (_isSaved ? throw new IOException("it was saved as a snapshot, and does not run again") : change(guest, either.Token));
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException or ObjectDisposedException)
        {
            return e is ObjectDisposedException ? "the guest has ended" : e.Message;
        }
        finally
        {
            _turn.Release();
        }
    }

    private void Report(Action change)
    {
        lock (_lock)
        {
            change();
            var state =
                _isSaved ? MachineState.Saved
                : _isPaused ? MachineState.Paused
                : _isHalted ? MachineState.Halted
                : MachineState.Running;
            if (state != _reported)
            {
                _reported = state;
                events.Publish(at => new MachineReport(at, state));
            }
        }
    }
}
