using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Desktops.Agents;
using Oriel.Desktops.Attestation;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Steps;
using Oriel.Images;
using Oriel.Protocol;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Creation;

/// <summary>Takes one desktop from a wish to ready: creating, booting, configuring, proven.</summary>
internal sealed class DesktopCreation(DesktopSpec spec, ImageManifest image, DesktopContext context)
{
    private readonly DesktopDeadlines _deadlines = context.Options.Deadlines;

    /// <summary>To ready, and then for as long as it is.</summary>
    /// <exception cref="StepFailedException">It cannot be made, or its session ended; the desktop is to be taken down.</exception>
    public async Task RunAsync(Desktop desktop, CancellationToken cancellationToken)
    {
        var steps = new StepRunner(desktop.Reports, context.Clock);
        using (await TakeSlotAsync(steps, cancellationToken))
        {
            var guest = await BootAsync(desktop, steps, null, null, cancellationToken);
            await FinishAsync(desktop, steps, guest, cancellationToken);
        }

        await GuestWatch.FollowAsync(desktop, context, cancellationToken);
    }

    /// <summary>
    /// Takes a desktop to the barrier: booted, its session up, both windows there, nothing of anybody in it; then, once it is claimed, to ready,
    /// as what the claim asks for.
    /// </summary>
    /// <param name="waits">Called at the barrier.</param>
    /// <param name="origin">Where it starts from, or what is to be made of it at the barrier; null = a plain boot.</param>
    /// <exception cref="StepFailedException">It cannot be made, or ended while it waited; the desktop is to be taken down.</exception>
    public async Task RunWarmAsync(Desktop desktop, Action waits, Task<DesktopSpec> claimed, WarmOrigin? origin, CancellationToken cancellationToken)
    {
        var steps = new StepRunner(desktop.Reports, context.Clock);
        BootedGuest guest;
        using (await TakeSlotAsync(steps, cancellationToken))
        {
            guest = await BootAsync(desktop, steps, new WarmStart(spec.Width, spec.Height), origin, cancellationToken);
            await BarrierAsync(desktop, steps, guest, cancellationToken);
        }

        if (origin is { Restored: null })
        {
            await steps.RunAsync(StepNames.Snapshot, context.Options.DeadlineFor(_deadlines.Agent, guest.Keeper.Limits.MachineMemory()), (progress, token) => KeepAsync(desktop, progress, token), cancellationToken);
        }

        waits();
        await Concurrently.WithAsync(
            token => GuestWatch.FollowAsync(desktop, context, token, guest.Told),
            token => claimed.WaitAsync(token),
            cancellationToken);
        await new DesktopCreation(await claimed, image, context).FinishAsync(desktop, steps, guest, cancellationToken);
        await GuestWatch.FollowAsync(desktop, context, cancellationToken);
    }

    /// <summary>
    /// Takes a copy of a running desktop to ready, with an identity of its own. Nothing is configured: it must show what the other one showed just
    /// before it was copied, and its own way out.
    /// </summary>
    /// <exception cref="StepFailedException">It cannot be made; the desktop is to be taken down.</exception>
    public async Task RunForkAsync(Desktop desktop, ForkSource source, CancellationToken cancellationToken)
    {
        var steps = new StepRunner(desktop.Reports, context.Clock);
        using (await TakeSlotAsync(steps, cancellationToken))
        {
            var directory = Path.Combine(desktop.Resources.Bundle, BundleLayout.Fork);
            var keeper = await PrepareAsync(desktop, steps, null, new KeeperSnapshot(directory, IsRestore: true, IsOwn: true), cancellationToken);
            var expected = await steps.RunAsync(StepNames.Observe, _deadlines.Attest, (_, token) => source.ObserveAsync(token), cancellationToken);
            await steps.RunAsync(StepNames.Fork, Timeout.InfiniteTimeSpan, (progress, token) => source.CopyAsync(directory, progress, token), cancellationToken);
            var guest = await ReachGuestAsync(desktop, steps, keeper, source.AgentKey, cancellationToken);
            await desktop.AdvanceAsync(DesktopVerb.Configure, cancellationToken);
            await desktop.ProvenAsync(await ProveAsync(desktop, steps, guest, expected, static (_, _) => Task.CompletedTask, cancellationToken), cancellationToken);
        }

        await GuestWatch.FollowAsync(desktop, context, cancellationToken);
    }

    private async Task<IDisposable> TakeSlotAsync(StepRunner steps, CancellationToken cancellationToken)
    {
        if (!context.Slots.TryTake())
        {
            await steps.RunAsync(StepNames.Queue, Timeout.InfiniteTimeSpan, (progress, token) =>
            {
                progress.Seen("other desktops are starting");
                return context.Slots.TakeAsync(token);
            }, cancellationToken);
        }

        return new BootSlot(context.Slots);
    }

    private async Task<BootedGuest> BootAsync(Desktop desktop, StepRunner steps, WarmStart? warm, WarmOrigin? origin, CancellationToken cancellationToken)
    {
        var snapshot = origin is null ? null : new KeeperSnapshot(origin.Directory, origin.Restored is not null);
        if (snapshot is { IsRestore: true } && context.Options.Driver.OpensMemoryForWriting)
        {
            var memory = await steps.RunAsync(StepNames.Memory, _deadlines.Keeper, (_, token) => desktop.Resources.TakeMemoryAsync(origin!.Directory, token), cancellationToken);
            snapshot = snapshot with { SharedMemory = memory };
        }

        var keeper = await PrepareAsync(desktop, steps, warm, snapshot, cancellationToken);
        return await ReachGuestAsync(desktop, steps, keeper, origin?.Restored?.AgentKey, cancellationToken);
    }

    /// <param name="formerKey">Of the machine that this one goes on from; null = it boots.</param>
    private async Task<BootedGuest> ReachGuestAsync(Desktop desktop, StepRunner steps, KeeperSpec keeper, byte[]? formerKey, CancellationToken cancellationToken)
    {
        await StartKeeperAsync(desktop.Resources, steps, keeper, cancellationToken);
        await desktop.AdvanceAsync(DesktopVerb.Boot, cancellationToken);
        var told = -1L;
        if (formerKey is not null)
        {
            told = await steps.RunAsync(StepNames.Renew, _deadlines.Agent, (progress, token) => RenewAsync(desktop, keeper, formerKey, progress, token), cancellationToken);
        }

        var guest = new BootedGuest(keeper, await ReachAgentAsync(desktop, steps, cancellationToken));
        guest.Told(told);
        return guest;
    }

    /// <summary>Under the key of before: makes the machine this desktop's own, before anything else.</summary>
    /// <returns>Of the newest of the steps that lie before, in the guest's microseconds.</returns>
    private async Task<long> RenewAsync(Desktop desktop, KeeperSpec keeper, byte[] formerKey, StepProgress progress, CancellationToken cancellationToken)
    {
        using var link = new AgentLink(Path.Combine(desktop.Resources.Bundle, BundleLayout.AgentSocket), formerKey);
        var agent = await AgentReach.WaitAsync(() => link, progress, context.Clock, cancellationToken);
        var renewal = GuestFreshness.Renewal(context.Clock);
        (renewal.DesktopId, renewal.AgentKey) = (keeper.DesktopId, ByteString.CopyFrom(keeper.AgentKey));
        var reply = await agent.Guest.RenewAsync(renewal, cancellationToken: cancellationToken);
        return reply.SinceBootUs;
    }

    private static async Task KeepAsync(Desktop desktop, StepProgress progress, CancellationToken cancellationToken)
    {
        if (await desktop.Resources.SaveAsync(cancellationToken) is { } problem)
        {
            throw progress.Fail(ReasonCodes.StepFailed, "The machine could not be kept: " + problem);
        }
    }

    private Task BarrierAsync(Desktop desktop, StepRunner steps, BootedGuest guest, CancellationToken cancellationToken)
    {
        var session = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (guest.IsRestored)
        {
            session.TrySetResult();
        }

        return Concurrently.WithAsync(
            token => GuestSteps.FollowAsync(desktop.Reports, guest, session, context.Clock, token),
            async token =>
            {
                await session.Task.WaitAsync(token);
                await Attestor.AwaitWindowsAsync(steps, guest.Agent, _deadlines, token);
            },
            cancellationToken);
    }

    private async Task FinishAsync(Desktop desktop, StepRunner steps, BootedGuest guest, CancellationToken cancellationToken)
    {
        await desktop.AdvanceAsync(DesktopVerb.Configure, cancellationToken);
        var expected = Expectation.Of(spec);
        var document = await ProveAsync(desktop, steps, guest, expected, (agent, token) => ConfigureAsync(steps, agent, expected, token), cancellationToken);
        await desktop.ProvenAsync(document, cancellationToken);
    }

    private async Task<KeeperSpec> PrepareAsync(Desktop desktop, StepRunner steps, WarmStart? warm, KeeperSnapshot? snapshot, CancellationToken cancellationToken)
    {
        var resources = desktop.Resources;
        var driver = context.Options.Driver;
        if (driver.NeedsDisks)
        {
            await steps.RunAsync(StepNames.ImageDisks, context.Options.DeadlineFor(_deadlines.Keeper, image.Disks?.Size ?? 0), VerifyDisksAsync, cancellationToken);
        }

        return await steps.RunAsync(StepNames.Prepare, _deadlines.Keeper, (_, _) =>
        {
            var cgroup = resources.TakeBundle();
            var keeper = new KeeperSpec(
                desktop.Id.ToString(),
                resources.Bundle,
                desktop.Snapshot.Driver,
                context.Images.PathOf(image.Digest),
                desktop.Snapshot.ImageDigest,
                context.Options.EgressSocket,
                RandomNumberGenerator.GetBytes(GuestRules.KeyBytes),
                RandomNumberGenerator.GetBytes(GuestRules.KeyBytes),
                spec.Hostname,
                new KeeperLimits(spec.Limits.MemoryBytes, spec.Limits.Cpus, spec.Limits.Pids, cgroup, spec.Limits.DiskBytes),
                driver.Accelerator,
                driver.TimeScale,
                warm,
                snapshot);
            resources.TakeEgress(keeper.EgressKey, desktop.EgressPolicy);
            return Task.FromResult(keeper);
        }, cancellationToken);
    }

    private async Task StartKeeperAsync(DesktopResources resources, StepRunner steps, KeeperSpec keeper, CancellationToken cancellationToken)
    {
        await steps.RunAsync(StepNames.Keeper, _deadlines.Keeper, async (progress, token) =>
        {
            try
            {
                await resources.StartKeeperAsync(keeper, token);
            }
            catch (Exception e) when (e is IOException or InvalidOperationException or System.ComponentModel.Win32Exception or TimeoutException)
            {
                throw progress.Fail(FaultReason.Of(e, ReasonCodes.KeeperNotStarted), "The keeper did not start: " + e.Message);
            }
        }, cancellationToken);
        await steps.RunAsync(StepNames.GuestStart, _deadlines.Keeper, async (progress, token) =>
        {
            // Not before: the keeper's own steps are this one's.
            resources.FollowKeeper(keeper);
            try
            {
                await resources.Running.WaitAsync(token);
            }
            catch (OperationCanceledException) when (resources.LastSeen is { } seen)
            {
                progress.Seen(seen);
                throw;
            }
        }, cancellationToken);
    }

    /// <summary>Read through by the first desktop of a server; later ones see that nobody has touched them since.</summary>
    private async Task VerifyDisksAsync(StepProgress progress, CancellationToken cancellationToken)
    {
        if (await context.Images.VerifyDisksAsync(image, cancellationToken) is { } problem)
        {
            throw progress.Fail(ReasonCodes.ImageBroken, $"The image cannot be used: {problem}.");
        }
    }

    private Task<AgentConnection> ReachAgentAsync(Desktop desktop, StepRunner steps, CancellationToken cancellationToken) =>
        steps.RunAsync(StepNames.Agent, _deadlines.Agent, (progress, token) => AgentReach.WaitAsync(desktop, progress, context.Clock, token), cancellationToken);

    /// <param name="configure">Makes the guest what is expected.</param>
    private async Task<AttestationDocument> ProveAsync(
        Desktop desktop, StepRunner steps, BootedGuest guest, Expectation expected, Func<AgentConnection, CancellationToken, Task> configure, CancellationToken cancellationToken)
    {
        var agent = guest.Agent;
        var startedAt = context.Clock.GetUtcNow();
        var session = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var attestor = new Attestor(expected, steps, agent, _deadlines, guest.Keeper.EgressKey);
        AttestationDocument? document = null;

        // The guest's own steps run beside ours for as long as ours last; one that fails there fails all.
        await Concurrently.WithAsync(
            token => GuestSteps.FollowAsync(desktop.Reports, guest, session, context.Clock, token),
            async token =>
            {
                await configure(agent, token);
                if (guest.Keeper.Warm is not null || guest.IsRestored)
                {
                    // It ran already, and where it had to start anew it did so before the reply.
                    session.TrySetResult();
                }

                var proofs = await attestor.RunAsync(session.Task, token);
                document = proofs.ToDocument(desktop.Snapshot, agent.AgentVersion, KeeperLiveness.ReadIdentity(desktop.Resources.Bundle)?.Pid ?? 0, startedAt, context.Clock.GetUtcNow());
            },
            cancellationToken);
        return document!;
    }

    private async Task ConfigureAsync(StepRunner steps, AgentConnection agent, Expectation expected, CancellationToken cancellationToken)
    {
        await steps.RunAsync(StepNames.ScreenSize, _deadlines.Configure, (progress, token) => ResizeAsync(agent, progress, token), cancellationToken);
        await steps.RunAsync(StepNames.Configure, _deadlines.Configure, (_, token) => ConfigureAsync(agent, expected, token), cancellationToken);
    }

    /// <summary>Before the session starts, so that its programs lay themselves out once.</summary>
    private async Task ResizeAsync(AgentConnection agent, StepProgress progress, CancellationToken cancellationToken)
    {
        var size = await agent.Display.ResizeAsync(new ResizeRequest { Width = (uint)spec.Width, Height = (uint)spec.Height }, cancellationToken: cancellationToken);
        progress.Seen($"{size.Width}x{size.Height}");
        if (size.Width != spec.Width || size.Height != spec.Height)
        {
            throw progress.Fail(ReasonCodes.StepFailed, $"The screen is {size.Width}x{size.Height}, {spec.Width}x{spec.Height} was asked for.");
        }
    }

    private async Task ConfigureAsync(AgentConnection agent, Expectation expected, CancellationToken cancellationToken)
    {
        var request = new ConfigureRequest
        {
            Hostname = spec.Hostname,
            TimeZone = spec.TimeZone,
            KeyboardLayout = spec.KeyboardLayout,
            Width = (uint)spec.Width,
            Height = (uint)spec.Height,
            WallClockUs = context.Clock.UnixMicroseconds(),
            Entropy = GuestFreshness.Entropy(),
            StartUrl = spec.StartUrl,
        };
        request.Files.AddRange(spec.Files.Select(f => new ConfiguredFile { Path = f.Path, Content = ByteString.CopyFrom(f.Content), Mode = f.Mode, Owner = f.Owner }));
        request.Trust.AddRange(spec.Trust.Select(ByteString.CopyFrom));
        foreach (var (name, value) in spec.Environment)
        {
            request.Env[name] = value;
        }

        var reply = await agent.Guest.ConfigureAsync(request, cancellationToken: cancellationToken);
        FileCheck.Verify(StepNames.Configure, expected.Files, reply.Files);
    }
}

/// <summary>A guest whose agent has proven itself.</summary>
internal sealed class BootedGuest(KeeperSpec keeper, AgentConnection agent)
{
    private long _toldUs = -1;

    public KeeperSpec Keeper => keeper;

    public AgentConnection Agent => agent;

    public bool IsRestored => keeper.Snapshot is { IsRestore: true };

    /// <summary>Of the newest step that was told, in microseconds since the guest began; -1 at first. Each step is told again to whoever begins to listen.</summary>
    public long ToldUs => Interlocked.Read(ref _toldUs);

    public void Told(GuestStep step) => Told(step.SinceBootUs);

    public void Told(long us) => Interlocked.Exchange(ref _toldUs, Math.Max(Interlocked.Read(ref _toldUs), us));
}

/// <summary>A warm machine's snapshot: to be restored, or to be made.</summary>
/// <param name="Restored">Null: it is to be made, in the directory.</param>
internal sealed record WarmOrigin(string Directory, GoldenSnapshot? Restored);

/// <summary>Opens the agent link, as often as it takes within the step's deadline.</summary>
internal static class AgentReach
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(25);

    public static Task<AgentConnection> WaitAsync(Desktop desktop, StepProgress progress, TimeProvider clock, CancellationToken cancellationToken) =>
        WaitAsync(() => desktop.Resources.Agent, progress, clock, cancellationToken);

    public static async Task<AgentConnection> WaitAsync(Func<AgentLink?> linkOf, StepProgress progress, TimeProvider clock, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var link = linkOf() ?? throw new OperationCanceledException("The desktop is going.");
                return await link.ConnectAsync(cancellationToken);
            }
            catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
            {
                progress.Seen($"{e.StatusCode}: {e.Status.Detail}");
                await Task.Delay(Between, clock, cancellationToken);
            }
        }
    }
}
