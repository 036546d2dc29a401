using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Agents;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Memory;
using Oriel.Desktops.Steps;
using Oriel.Egress;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops;

/// <summary>
/// What one desktop holds of this host: bundle, cgroup, egress session, keeper and the links to keeper and agent. Taken one by one,
/// each with its undo step; let go all at once.
/// </summary>
/// <param name="id">Of the desktop.</param>
/// <param name="machineChanged">Called when the keeper has reported another state of the machine.</param>
/// <param name="connectionChanged">Gets each entry of the egress log as it changes.</param>
internal sealed class DesktopResources(
    string id, Reports reports, Action machineChanged, Action<EgressEntry> connectionChanged, DesktopContext context, ILogger logger)
{
    private static readonly TimeSpan FreezeDeadline = TimeSpan.FromSeconds(10);
    /// <summary>What is not the memory's: the disk, of which a copy may share the blocks.</summary>
    private static readonly TimeSpan ForkDeadline = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan TimeDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CountersDeadline = TimeSpan.FromSeconds(5);
    /// <summary>From the end of the link to a keeper until it is known that the keeper has ended.</summary>
    private static readonly TimeSpan EndDeadline = TimeSpan.FromMilliseconds(900);
    private const int Unreported = -1;
    private readonly CleanupStack _cleanup = new(logger);
    private readonly ConcurrentDictionary<string, long> _counters = new();
    private readonly TaskCompletionSource _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private EgressSession? _egress;
    private AgentLink? _agent;
    private KeeperLink? _keeper;
    private long _memoryBytes;
    private MemoryKills? _kills;
    private Task _watching = Task.CompletedTask;
    private volatile string? _failedStep;
    private volatile string? _lastSeen;
    private volatile bool _ending;
    private int _machine = Unreported;

    public EgressSession? Egress => Volatile.Read(ref _egress);

    public AgentLink? Agent => Volatile.Read(ref _agent);

    public IReadOnlyDictionary<string, long> Counters => _counters;

    /// <summary>What the machine does, as the keeper reported last; null before its first report.</summary>
    public MachineState? Machine => Volatile.Read(ref _machine) is var machine and not Unreported ? (MachineState)machine : null;

    /// <summary>What the keeper last reported.</summary>
    public string? LastSeen => _lastSeen;

    /// <summary>The kernel has ended a program of the desktop for want of memory not long ago.</summary>
    public bool IsShortOfMemory => Volatile.Read(ref _kills)?.AreRecent() == true;

    public string Bundle => Path.Combine(context.Options.DesktopsDirectory, id);

    /// <summary>Whether there is no keeper, and so no guest, any more.</summary>
    public bool HasEnded => _keeper is { Ended.IsCompleted: true };

    /// <summary>Completes when the keeper says that its guest was started.</summary>
    public Task Running => _running.Task;

    /// <summary>Makes the bundle and takes a cgroup where they are delegated.</summary>
    /// <returns>The cgroup's directory, or null.</returns>
    public string? TakeBundle()
    {
        _cleanup.Push("bundle", () => context.Keepers.RemoveBundleAsync(Bundle, CancellationToken.None));
        Directory.CreateDirectory(Bundle, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var cgroup = context.Cgroups.Create(id);
        if (cgroup is not null)
        {
            Volatile.Write(ref _kills, new MemoryKills(cgroup, context.Clock));
            _cleanup.Push("cgroup", () => CgroupDelegation.RemoveAsync(cgroup));
        }

        return cgroup;
    }

    /// <summary>The memory of a snapshot's machine, which all that go on from it share and none can write to; kept for others as long as this desktop is there.</summary>
    /// <returns>Its path.</returns>
    /// <exception cref="IOException">The snapshot cannot be read, or there is no room in this host's memory.</exception>
    public async Task<string> TakeMemoryAsync(string snapshot, CancellationToken cancellationToken)
    {
        var memory = await context.Snapshots.Memories.TakeAsync(snapshot, cancellationToken);
        _cleanup.Push("memory", () =>
        {
            memory.Dispose();
            return Task.CompletedTask;
        });
        return memory.Path;
    }

    public void TakeEgress(byte[] key, EgressPolicy policy)
    {
        var session = context.Egress.Register(id, key, policy);
        session.Log.Changed += OnEgress;
        Volatile.Write(ref _egress, session);
        _cleanup.Push("egress", () =>
        {
            session.Log.Changed -= OnEgress;
            session.Dispose();
            Volatile.Write(ref _egress, null);
            return Task.CompletedTask;
        });
    }

    public async Task StartKeeperAsync(KeeperSpec spec, CancellationToken cancellationToken)
    {
        _cleanup.Push("keeper", () => context.Keepers.KillAsync(Bundle, CancellationToken.None));
        await context.Keepers.StartAsync(spec, cancellationToken);
    }

    /// <summary>Hears what the keeper tells, from its start on, and makes its agent reachable.</summary>
    public void FollowKeeper(KeeperSpec spec)
    {
        Volatile.Write(ref _agent, new AgentLink(Path.Combine(Bundle, BundleLayout.AgentSocket), spec.AgentKey));
        _memoryBytes = spec.Limits.MachineMemory();
        _keeper = new KeeperLink(Bundle, context.Clock, logger);
        _keeper.Start(OnKeeperEvent);
        _watching = WatchKeeperAsync(_keeper);
    }

    /// <summary>Takes over what an earlier server left running.</summary>
    public void Adopt(KeeperSpec spec, EgressPolicy policy)
    {
        AdoptRemains(spec);
        TakeEgress(spec.EgressKey, policy);
        FollowKeeper(spec);
    }

    /// <summary>Takes over what is only to be removed.</summary>
    public void AdoptRemains(KeeperSpec? spec)
    {
        _cleanup.Push("bundle", () => context.Keepers.RemoveBundleAsync(Bundle, CancellationToken.None));
        if (spec?.Limits.Cgroup is { } cgroup)
        {
            Volatile.Write(ref _kills, new MemoryKills(cgroup, context.Clock));
            _cleanup.Push("cgroup", () => CgroupDelegation.RemoveAsync(cgroup));
        }

        _cleanup.Push("keeper", () => context.Keepers.KillAsync(Bundle, CancellationToken.None));
    }

    /// <summary>Pauses or resumes the guest.</summary>
    /// <returns>Null once the keeper has said that it is done; else why it is not.</returns>
    public Task<string?> FreezeAsync(bool frozen) =>
        AskAsync(id => frozen ? new PauseGuest(id) : new ResumeGuest(id), FreezeDeadline, CancellationToken.None);

    /// <summary>Has the guest's snapshot made; it stays paused.</summary>
    /// <returns>As <see cref="FreezeAsync"/>.</returns>
    public Task<string?> SaveAsync(CancellationToken cancellationToken) => AskAsync(id => new SaveGuest(id), Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Has the guest copied.</summary>
    /// <returns>As <see cref="FreezeAsync"/>.</returns>
    public Task<string?> ForkAsync(string directory) =>
        AskAsync(id => new ForkGuest(id, directory), context.Options.DeadlineFor(ForkDeadline, _memoryBytes), CancellationToken.None);

    private async Task<string?> AskAsync(Func<long, KeeperCommand> command, TimeSpan deadline, CancellationToken cancellationToken)
    {
        if (_keeper is not { } keeper)
        {
            return "it has no keeper yet";
        }

        var problem = await keeper.AskAsync(command, deadline, cancellationToken);
        if (problem is null || await Task.WhenAny(keeper.Ended, Task.Delay(problem == KeeperLink.NoAnswer ? EndDeadline : TimeSpan.Zero, context.Clock, cancellationToken)) != keeper.Ended)
        {
            return problem;
        }

        // First its own reason for the desktop's end, then whatever comes of the answer that is missing.
        await _watching;
        var end = await keeper.Ended;
        return $"the keeper ended{(end.Detail is null ? "" : $": {end.Detail}")}";
    }

    /// <summary>A machine's clock stood still with it: gives it the time, and randomness, again. Without effect in a guest whose kernel is the host's.</summary>
    public async Task TellTimeAsync()
    {
        using var limit = new CancellationTokenSource(TimeDeadline, context.Clock);
        try
        {
            if (Agent is { } link)
            {
                var agent = await link.ConnectAsync(limit.Token);
                await agent.Guest.RenewAsync(GuestFreshness.Renewal(context.Clock), cancellationToken: limit.Token);
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException or AgentIdentityException)
        {
            logger.LogWarning(e, "Desktop {Desktop}: its clock could not be set after the pause", id);
        }
    }

    /// <summary>Has the keeper tell fresh counters.</summary>
    public async Task RefreshCountersAsync(CancellationToken cancellationToken)
    {
        if (_keeper is { } keeper && await keeper.AskAsync(id => new ReadCounters(id), CountersDeadline, cancellationToken) is { } problem)
        {
            logger.LogDebug("Desktop {Desktop}: no fresh counters: {Problem}", id, problem);
        }
    }

    /// <summary>Takes everything down. Never throws; what could not be removed is logged and left to the next start of a server.</summary>
    public async Task RemoveAsync(bool orderly)
    {
        _ending = true;
        Egress?.Dispose();
        if (orderly && _keeper is { } keeper)
        {
            var deadline = context.Options.StopDeadline;
            if (await keeper.AskAsync(id => new StopGuest(id, (int)deadline.TotalMilliseconds), deadline, CancellationToken.None) is null)
            {
                await Task.WhenAny(keeper.Ended, Task.Delay(deadline + TimeSpan.FromSeconds(2), context.Clock));
            }
        }

        await CloseLinksAsync();
        var failed = await _cleanup.UnwindAsync();
        if (failed.Count > 0)
        {
            reports.Log("server: not removed: " + string.Join("; ", failed));
        }
    }

    /// <summary>Closes the links; keeper and guest live on.</summary>
    public async Task DetachAsync()
    {
        _ending = true;
        await CloseLinksAsync();
        Egress?.Dispose();
    }

    private async Task CloseLinksAsync()
    {
        Interlocked.Exchange(ref _agent, null)?.Dispose();
        if (_keeper is not null)
        {
            await _keeper.DisposeAsync();
        }

        await _watching;
    }

    private async Task WatchKeeperAsync(KeeperLink keeper)
    {
        var end = await keeper.Ended;
        if (_ending || end is { Code: KeeperLink.Detached })
        {
            return;
        }

        var known = end.Code is not null;
        var reason = new DesktopReason(
            FaultReason.OfWords(end.Detail, end.Code ?? ReasonCodes.KeeperDied),
            _failedStep,
            end.Detail ?? (known ? "The guest ended by itself." : "The keeper ended without saying why; it was probably killed."),
            _lastSeen,
            []);
        _running.TrySetException(new StepFailedException(reason));
        _ = _running.Task.Exception;
        reports.Fail(reason);
    }

    private void OnEgress(EgressEntry entry) => connectionChanged(entry);

    private void OnKeeperEvent(KeeperEvent item)
    {
        switch (item)
        {
            case KeeperStep step:
                OnStep(step);
                break;
            case GuestRunning:
                _running.TrySetResult();
                break;
            case MachineReport machine:
                Volatile.Write(ref _machine, (int)machine.State);
                machineChanged();
                break;
            case ConsoleLine console:
                reports.Log(console.Line);
                break;
            case KeeperCounters counters:
                foreach (var (name, value) in counters.Values)
                {
                    _counters[name] = value;
                }

                break;
        }
    }

    private void OnStep(KeeperStep item)
    {
        var state = item.State switch { KeeperStepState.Done => StepState.Done, KeeperStepState.Failed => StepState.Failed, _ => StepState.Running };
        _lastSeen = $"{item.Name} {state.ToString().ToLowerInvariant()}{(item.Detail is null ? "" : $": {item.Detail}")}";
        if (state == StepState.Failed)
        {
            _failedStep = item.Name;
        }

        if (!_running.Task.IsCompleted || state == StepState.Failed)
        {
            reports.Step(StepSnapshot.Of(item.Name, state, item.AtUs, item.ElapsedUs, item.Detail));
        }
    }
}
