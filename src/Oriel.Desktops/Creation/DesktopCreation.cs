using System.Security.Cryptography;
using Google.Protobuf;
using Oriel.Agents;
using Oriel.Desktops.Attestation;
using Oriel.Desktops.Guests;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Resources;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Steps;
using Oriel.Images.Store;
using Oriel.Protocol;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Creation;

/// <summary>Takes one desktop from a wish to ready: creating, booting, configuring, proven.</summary>
internal sealed class DesktopCreation(
    DesktopSpec spec,
    ImageManifest image,
    CreationContext context,
    DesktopResources resources,
    Reports reports
)
{
    private readonly DesktopDeadlines _deadlines = context.Options.Deadlines;
    private readonly StepRunner _steps = new(reports, context.Clock);

    /// <summary>To ready, and then for as long as it is.</summary>
    /// <param name="barrier">Where it waits to be claimed; null = it is claimed already.</param>
    /// <exception cref="StepFailedException">It cannot be made, or ended while it waited, or its session ended; the desktop is to be taken
    /// down.</exception>
    public async Task RunAsync(Origin origin, ClaimBarrier? barrier, CancellationToken cancellationToken)
    {
        var watch = new GuestWatch(resources, reports, _deadlines.Adopt, context.Clock);
        BootedGuest guest;
        using (await TakeSlotAsync(cancellationToken))
        {
            (guest, var copied) = await BeginAsync(origin, barrier, cancellationToken);
            if (barrier is not null)
            {
                await AwaitBarrierAsync(guest, cancellationToken);
            }
            else
            {
                await FinishAsync(guest, spec, copied, cancellationToken);
            }
        }

        if (barrier is not null)
        {
            await SaveAsync(origin, guest, cancellationToken);
            barrier.Reached();
            await Concurrently.WithAsync(
                token => watch.FollowAsync(token, guest.Reported),
                token => barrier.Claimed.WaitAsync(token),
                cancellationToken
            );
            await FinishAsync(guest, await barrier.Claimed, null, cancellationToken);
        }

        await watch.FollowAsync(cancellationToken);
    }

    private async Task<IDisposable> TakeSlotAsync(CancellationToken cancellationToken)
    {
        if (!context.Slots.TryTake())
        {
            await _steps.RunAsync(
                StepNames.Queue,
                Timeout.InfiniteTimeSpan,
                (progress, token) =>
                {
                    progress.Seen("other desktops are starting");
                    return context.Slots.TakeAsync(token);
                },
                cancellationToken
            );
        }

        return new BootSlot(context.Slots);
    }

    /// <returns>The guest, and of a copy what it must show.</returns>
    private async Task<(BootedGuest Guest, Expectation? Copied)> BeginAsync(
        Origin origin,
        ClaimBarrier? barrier,
        CancellationToken cancellationToken
    )
    {
        var warm = barrier is null ? null : new WarmStart(spec.Width, spec.Height);
        switch (origin)
        {
            case Origin.Fork { Source: var source }:
                var directory = resources.Bundle.Fork;
                var copy = await PrepareAsync(null, new KeeperSnapshot(directory, IsRestore: true, IsOwn: true), cancellationToken);
                var copied = await _steps.RunAsync(
                    StepNames.Observe,
                    _deadlines.Attest,
                    (_, token) => source.ObserveAsync(token),
                    cancellationToken
                );
                await _steps.RunAsync(
                    StepNames.Fork,
                    Timeout.InfiniteTimeSpan,
                    (progress, token) => source.CopyAsync(directory, progress, token),
                    cancellationToken
                );
                return (await ReachGuestAsync(copy, source.AgentKey, cancellationToken), copied);
            case Origin.Restored { Snapshot: var golden }:
                var restored = await PrepareAsync(warm, await WithMemoryAsync(golden, cancellationToken), cancellationToken);
                return (await ReachGuestAsync(restored, golden.AgentKey, cancellationToken), null);
            case Origin.Cold cold:
                var booted = await PrepareAsync(
                    warm,
                    cold.SaveTo is null ? null : new KeeperSnapshot(cold.SaveTo, IsRestore: false),
                    cancellationToken
                );
                return (await ReachGuestAsync(booted, null, cancellationToken), null);
            default:
                throw new InvalidOperationException($"No desktop comes from {origin}.");
        }
    }

    private async Task<KeeperSnapshot> WithMemoryAsync(GoldenSnapshot golden, CancellationToken cancellationToken)
    {
        var snapshot = new KeeperSnapshot(golden.Directory, IsRestore: true);
        if (!context.Options.Driver.OpensMemoryForWriting)
        {
            return snapshot;
        }

        var memory = await _steps.RunAsync(
            StepNames.Memory,
            _deadlines.Keeper,
            (_, token) => resources.TakeMemoryAsync(golden.Directory, token),
            cancellationToken
        );
        return snapshot with { SharedMemory = memory };
    }

    private async Task<KeeperSpec> PrepareAsync(WarmStart? warm, KeeperSnapshot? snapshot, CancellationToken cancellationToken)
    {
        var driver = context.Options.Driver;
        if (driver.NeedsDisks)
        {
            await _steps.RunAsync(
                StepNames.ImageDisks,
                context.Options.DeadlineFor(_deadlines.Keeper, image.Disks?.Size ?? 0),
                VerifyDisksAsync,
                cancellationToken
            );
        }

        return await _steps.RunAsync(
            StepNames.Prepare,
            _deadlines.Keeper,
            (_, _) =>
            {
                var desktop = reports.View;
                var cgroup = resources.TakeBundle();
                var keeper = new KeeperSpec(
                    desktop.Id.ToString(),
                    resources.Bundle.Path,
                    desktop.Driver,
                    context.Images.PathOf(image.Digest),
                    desktop.ImageDigest,
                    context.Options.Layout.EgressSocket,
                    RandomNumberGenerator.GetBytes(GuestRules.KeyBytes),
                    RandomNumberGenerator.GetBytes(GuestRules.KeyBytes),
                    spec.Hostname,
                    new KeeperLimits(spec.Limits.MemoryBytes, spec.Limits.Cpus, spec.Limits.Pids, cgroup, spec.Limits.DiskBytes),
                    driver.Accelerator,
                    driver.TimeScale,
                    warm,
                    snapshot
                );
                resources.TakeEgress(keeper.EgressKey);
                return Task.FromResult(keeper);
            },
            cancellationToken
        );
    }

    /// <summary>Read through by the first desktop of a server; later ones see that nobody has touched them since.</summary>
    private async Task VerifyDisksAsync(StepProgress progress, CancellationToken cancellationToken)
    {
        if (await context.Images.VerifyDisksAsync(image, cancellationToken) is { } problem)
        {
            throw progress.Fail(ReasonCodes.ImageBroken, $"The image cannot be used: {problem}.");
        }
    }

    /// <param name="formerKey">The agent key of the machine that this one is restored or copied from; null = it boots.</param>
    private async Task<BootedGuest> ReachGuestAsync(KeeperSpec keeper, byte[]? formerKey, CancellationToken cancellationToken)
    {
        await StartKeeperAsync(keeper, cancellationToken);
        await reports.AdvanceAsync(DesktopVerb.Boot, cancellationToken);
        var reported = -1L;
        if (formerKey is not null)
        {
            reported = await _steps.RunAsync(
                StepNames.Renew,
                _deadlines.Agent,
                (progress, token) => RenewAsync(keeper, formerKey, progress, token),
                cancellationToken
            );
        }

        var agent = await _steps.RunAsync(
            StepNames.Agent,
            _deadlines.Agent,
            (progress, token) => AgentReach.WaitAsync(() => resources.Machine.Agent, progress, context.Clock, token),
            cancellationToken
        );
        var guest = new BootedGuest(keeper, agent);
        guest.Reported(reported);
        return guest;
    }

    private async Task StartKeeperAsync(KeeperSpec keeper, CancellationToken cancellationToken)
    {
        await _steps.RunAsync(
            StepNames.Keeper,
            _deadlines.Keeper,
            async (progress, token) =>
            {
                try
                {
                    await resources.StartKeeperAsync(keeper, token);
                }
                catch (Exception e)
                    when (e is IOException or InvalidOperationException or System.ComponentModel.Win32Exception or TimeoutException)
                {
                    throw progress.Fail(FaultReason.Of(e, ReasonCodes.KeeperNotStarted), "The keeper did not start: " + e.Message);
                }
            },
            cancellationToken
        );
        await _steps.RunAsync(
            StepNames.GuestStart,
            _deadlines.Keeper,
            async (progress, token) =>
            {
                // Not before: the keeper's own steps are part of this one.
                var machine = resources.Machine;
                machine.Follow(resources.Bundle, keeper);
                try
                {
                    await machine.Running.WaitAsync(token);
                }
                catch (OperationCanceledException) when (machine.LastSeen is { } seen)
                {
                    progress.Seen(seen);
                    throw;
                }
            },
            cancellationToken
        );
    }

    /// <summary>Using the former agent key, gives the machine this desktop's own identity, before anything else.</summary>
    /// <returns>Of the newest step of the former machine, in the guest's microseconds.</returns>
    private async Task<long> RenewAsync(KeeperSpec keeper, byte[] formerKey, StepProgress progress, CancellationToken cancellationToken)
    {
        using var link = resources.Machine.LinkTo(resources.Bundle, formerKey);
        var agent = await AgentReach.WaitAsync(() => link, progress, context.Clock, cancellationToken);
        var renewal = GuestFreshness.Renewal(context.Clock);
        (renewal.DesktopId, renewal.AgentKey) = (keeper.DesktopId, ByteString.CopyFrom(keeper.AgentKey));
        var reply = await agent.Guest.RenewAsync(renewal, cancellationToken: cancellationToken);
        return reply.SinceBootUs;
    }

    private Task AwaitBarrierAsync(BootedGuest guest, CancellationToken cancellationToken)
    {
        var session = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (guest.IsRestored)
        {
            session.TrySetResult();
        }

        return Concurrently.WithAsync(
            token => GuestSteps.FollowAsync(reports, guest, session, context.Clock, token),
            async token =>
            {
                await session.Task.WaitAsync(token);
                await Attestor.AwaitWindowsAsync(_steps, guest.Agent, _deadlines, token);
            },
            cancellationToken
        );
    }

    private async Task SaveAsync(Origin origin, BootedGuest guest, CancellationToken cancellationToken)
    {
        if (origin is Origin.Cold { SaveTo: not null })
        {
            var deadline = context.Options.DeadlineFor(_deadlines.Agent, guest.Keeper.Limits.MachineMemory());
            await _steps.RunAsync(
                StepNames.Snapshot,
                deadline,
                async (progress, token) =>
                {
                    if (await resources.Machine.SaveAsync(token) is { } problem)
                    {
                        throw progress.Fail(ReasonCodes.StepFailed, "The machine could not be saved: " + problem);
                    }
                },
                cancellationToken
            );
        }
    }

    /// <param name="copied">What a copy must show, to which nothing is configured; null = it is configured as the spec says.</param>
    private async Task FinishAsync(BootedGuest guest, DesktopSpec asked, Expectation? copied, CancellationToken cancellationToken)
    {
        await reports.AdvanceAsync(DesktopVerb.Configure, cancellationToken);
        var expected = copied ?? Expectation.Of(asked);
        var configuration = copied is null ? new GuestConfiguration(asked, expected, _steps, _deadlines, context.Clock) : null;
        await reports.ProvenAsync(await ProveAsync(guest, expected, configuration, cancellationToken), cancellationToken);
    }

    private async Task<AttestationDocument> ProveAsync(
        BootedGuest guest,
        Expectation expected,
        GuestConfiguration? configuration,
        CancellationToken cancellationToken
    )
    {
        var agent = guest.Agent;
        var startedAt = context.Clock.GetUtcNow();
        var session = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var attestor = new Attestor(expected, _steps, agent, _deadlines, guest.Keeper.EgressKey);
        AttestationDocument? document = null;

        // The guest's own steps run beside ours for as long as ours last; one that fails there fails all.
        await Concurrently.WithAsync(
            token => GuestSteps.FollowAsync(reports, guest, session, context.Clock, token),
            async token =>
            {
                await (configuration?.ApplyAsync(agent, token) ?? Task.CompletedTask);
                if (guest.Keeper.Warm is not null || guest.IsRestored)
                {
                    // It ran already, and where it had to start anew it did so before the reply.
                    session.TrySetResult();
                }

                var proofs = await attestor.RunAsync(session.Task, token);
                var keeperPid = resources.Bundle.ReadIdentity()?.Pid ?? 0;
                document = proofs.ToDocument(reports.View, agent.AgentVersion, keeperPid, startedAt, context.Clock.GetUtcNow());
            },
            cancellationToken
        );
        return document!;
    }
}
