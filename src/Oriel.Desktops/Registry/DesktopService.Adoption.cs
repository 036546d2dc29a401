using Microsoft.Extensions.Logging;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Events;
using Oriel.Desktops.Guests;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Node;
using Oriel.Desktops.Steps;
using Oriel.Desktops.Store;
using Oriel.Linux.Machine;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using StepState = Oriel.Desktops.Lifecycle.StepState;

namespace Oriel.Desktops.Registry;

// What a new server does with what earlier ones left, and what it watches of all desktops.
public sealed partial class DesktopService
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    private async Task AdoptAllAsync(CancellationToken cancellationToken)
    {
        var stored = await _context.Store.LoadAsync(_context.Clock.GetUtcNow() - Options.KeepDestroyed, cancellationToken);
        var known = stored.Select(s => s.Desktop.View.Id.ToString()).ToHashSet();
        foreach (var (desktop, events) in stored)
        {
            Adopt(desktop, events);
        }

        foreach (var bundle in Options.Layout.Bundles().Where(bundle => !known.Contains(bundle.Name)))
        {
            await RemoveOrphanAsync(bundle, cancellationToken);
        }
    }

    private void Adopt(StoredDesktop stored, IReadOnlyList<DesktopEvent> events)
    {
        var was = stored.View.State;
        if (was == DesktopState.Destroyed)
        {
            var gone = new Desktop(_context, stored, events);
            gone.StayDestroyed();
            _desktops[gone.Id] = gone;
            RemoveRemains(gone);
            return;
        }

        var bundle = Options.Layout.BundleOf(stored.View.Id.ToString());
        var spec = bundle.ReadSpec();
        var identity = bundle.ReadIdentity();
        var alive = spec is not null && identity is not null && KeeperLiveness.IsAlive(identity);
        var usable =
            alive && identity!.ProtocolVersion == KeeperIdentity.CurrentVersion && was is DesktopState.Ready or DesktopState.Paused;

        // A desktop that was ready is configured; it is shown as such until its agent has proven itself to this server.
        var start =
            was == DesktopState.Ready && usable ? stored with { View = stored.View with { State = DesktopState.Configuring } } : stored;
        var desktop = new Desktop(_context, start, events);
        _desktops[desktop.Id] = desktop;
        if (!usable)
        {
            desktop.Resources.AdoptRemains(spec);
            desktop.Start((d, _) => Condemn(d, was, bundle));
            return;
        }

        _logger.LogInformation("Desktop {Desktop}: adopting (was {State})", desktop.Id, was.Name());
        desktop.Resources.Adopt(spec!);
        desktop.Start((d, token) => was == DesktopState.Paused ? WatchOf(d).FollowAsync(token) : ReachAsync(d, token));
    }

    private static Task Condemn(Desktop desktop, DesktopState was, Bundle bundle)
    {
        if (was is DesktopState.Failed or DesktopState.Destroying)
        {
            // It was ending already, and keeps its reason.
            desktop.ResumeTakedown();
        }
        else if (was is DesktopState.Ready or DesktopState.Paused)
        {
            var exit = bundle.ReadExit();
            var keeper = bundle.ReadIdentity();
            if (keeper is not null && keeper.ProtocolVersion != KeeperIdentity.CurrentVersion && KeeperLiveness.IsAlive(keeper))
            {
                desktop.Fail(
                    DesktopReason.Of(
                        ReasonCodes.ServerRestarted,
                        "The desktop was made by a version of Oriel that this server cannot take over from, and is ended."
                    )
                );
                return Task.CompletedTask;
            }

            if (keeper is not null && keeper.BootId != BootId.Read())
            {
                desktop.Fail(
                    new DesktopReason(
                        ReasonCodes.HostRestarted,
                        null,
                        "The machine that the desktop ran on was restarted.",
                        exit is null ? null : $"{exit.Reason}: {exit.Detail}",
                        LastLines(bundle)
                    )
                );
                return Task.CompletedTask;
            }

            desktop.Fail(
                new DesktopReason(
                    exit?.Reason ?? ReasonCodes.KeeperDied,
                    null,
                    exit?.Detail ?? "The keeper ended while no server was there.",
                    null,
                    LastLines(bundle)
                )
            );
        }
        else
        {
            desktop.Fail(
                new DesktopReason(
                    ReasonCodes.ServerRestarted,
                    StepOf(desktop.View, bundle),
                    "The server ended while the desktop was being created.",
                    was.Name(),
                    LastLines(bundle)
                )
            );
        }

        return Task.CompletedTask;
    }

    /// <summary>A step is stored when it begins. Where none was running: the next of that state, or what the bundle tells.</summary>
    private static string StepOf(DesktopView last, Bundle bundle) =>
        last.RunningStep
        ?? last.State switch
        {
            DesktopState.Configuring => CreationSteps.Next(last.Steps, StepNames.ScreenSize),
            DesktopState.Booting => StepNames.Agent,
            _ when bundle.ReadIdentity() is not null => StepNames.GuestStart,
            _ when bundle.Exists => StepNames.Keeper,
            _ => StepNames.Prepare,
        };

    private GuestWatch WatchOf(Desktop desktop) => new(desktop.Resources, desktop.Reports, Options.Deadlines.Adopt, _context.Clock);

    /// <summary>Shows the desktop as ready again once its agent has proven itself to this server.</summary>
    private async Task ReachAsync(Desktop desktop, CancellationToken cancellationToken)
    {
        var steps = new StepRunner(desktop.Reports, _context.Clock);
        while (!await TryReachAsync(desktop, steps, cancellationToken))
        {
            // Its machine is halted, so it cannot answer yet.
        }

        await desktop.Reports.ProvenAsync(null, cancellationToken);
        await WatchOf(desktop).FollowAsync(cancellationToken);
    }

    /// <returns>False when the deadline passed at a machine that is halted because this host's disk is full.</returns>
    private async Task<bool> TryReachAsync(Desktop desktop, StepRunner steps, CancellationToken cancellationToken)
    {
        try
        {
            await steps.RunAsync(
                StepNames.Adopt,
                Options.Deadlines.Adopt,
                async (progress, token) =>
                {
                    var agent = await AgentReach.WaitAsync(() => desktop.Resources.Machine.Agent, progress, _context.Clock, token);

                    // A call that needs the proofs: both ends know the key, and the agent answers.
                    using var call = agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: token);
                    await call.ResponseStream.MoveNext(token);
                },
                cancellationToken
            );
            return true;
        }
        catch (StepFailedException e)
            when (e.Reason.Code == ReasonCodes.StepDeadline && GuestWatch.IsFrozen(desktop.View, desktop.Resources.Machine))
        {
            return false;
        }
    }

    private void RemoveRemains(Desktop gone)
    {
        if (gone.Resources.Bundle.Exists)
        {
            gone.Resources.AdoptRemains(gone.Resources.Bundle.ReadSpec());
            _ = gone.Resources.RemoveAsync(orderly: false);
        }
    }

    private async Task RemoveOrphanAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        _logger.LogWarning("{Bundle} belongs to no known desktop; removing it", bundle);
        try
        {
            await BundleRemains.RemoveAsync(_context.Node.Keepers, bundle, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            _logger.LogError(e, "{Bundle} could not be removed", bundle);
        }
    }

    private static IReadOnlyList<string> LastLines(Bundle bundle)
    {
        const int Lines = 20;
        const int TailBytes = 16 * 1024;
        return [.. bundle.TailOfKeeperLog(TailBytes).TakeLast(Lines), .. bundle.TailOfConsoleLog(TailBytes).TakeLast(Lines)];
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(WatchInterval, _context.Clock);
        var disk = new HostDisk(() => _context.Node.Keepers.FreeBytes(Options.Layout.Desktops));
        var forgotten = _context.Clock.GetUtcNow();
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                var now = _context.Clock.GetUtcNow();
                var room = disk.Look();
                foreach (var desktop in _desktops.Values)
                {
                    desktop.Warn(WarningCodes.DiskFull, room);
                    desktop.Warn(WarningCodes.OutOfMemory, desktop.Resources.IsShortOfMemory ? MemoryKills.Message : null);
                    desktop.KeepSequence();
                    if (
                        desktop.View is { State: DesktopState.Destroyed } gone
                        && now - gone.EndedAt > Options.KeepDestroyed
                        && _desktops.TryRemove(desktop.Id, out _)
                    )
                    {
                        await desktop.DisposeAsync();
                    }
                }

                if (now - forgotten > TimeSpan.FromMinutes(10))
                {
                    forgotten = now;
                    await _context.Store.ForgetAsync(now - Options.KeepDestroyed, _stopping.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }
}
