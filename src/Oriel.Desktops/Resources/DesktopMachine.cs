using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Oriel.Agents;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Resources;

/// <summary>
/// One desktop's machine, or container, as its keeper reports it, and what is asked of it: the links to keeper and agent.
/// </summary>
/// <param name="id">Of the desktop.</param>
/// <param name="changed">Called when the keeper has reported another state of the machine.</param>
internal sealed class DesktopMachine(string id, Reports reports, Action changed, DesktopOptions options, TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan FreezeDeadline = TimeSpan.FromSeconds(10);

    /// <summary>What is not the memory's: the disk, of which a copy may share the blocks.</summary>
    private static readonly TimeSpan ForkDeadline = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan TimeDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CountersDeadline = TimeSpan.FromSeconds(5);

    /// <summary>From the end of the link to a keeper until it is known that the keeper has ended.</summary>
    private static readonly TimeSpan EndDeadline = TimeSpan.FromMilliseconds(900);

    private readonly ConcurrentDictionary<string, long> _counters = new();
    private readonly TaskCompletionSource _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AgentLink? _agent;
    private KeeperLink? _keeper;
    private MachineReport? _report;
    private long _memoryBytes;
    private Task _watching = Task.CompletedTask;
    private volatile string? _failedStep;
    private volatile string? _lastSeen;
    private volatile bool _ending;

    /// <summary>What the machine does, as the keeper reported last; null before its first report.</summary>
    public MachineState? State => Volatile.Read(ref _report)?.State;

    /// <summary>Null before the keeper is followed, and after the end.</summary>
    public AgentLink? Agent => Volatile.Read(ref _agent);

    public IReadOnlyDictionary<string, long> Counters => _counters;

    /// <summary>What the keeper last reported.</summary>
    public string? LastSeen => _lastSeen;

    /// <summary>Whether there is no keeper, and so no guest, any more.</summary>
    public bool HasEnded => _keeper is { Ended.IsCompleted: true };

    /// <summary>Completes when the keeper says that its guest was started.</summary>
    public Task Running => _running.Task;

    /// <summary>Hears what the keeper tells, from its start on, and makes its agent reachable.</summary>
    public void Follow(Bundle bundle, KeeperSpec spec)
    {
        Volatile.Write(ref _agent, LinkTo(bundle, spec.AgentKey));
        _memoryBytes = spec.Limits.MachineMemory();
        _keeper = new KeeperLink(bundle, clock, logger);
        _keeper.Start(OnKeeperEvent);
        _watching = WatchKeeperAsync(_keeper);
    }

    /// <summary>A link to the agent, or to the one that it was restored from; an answer that no agent gives ends the desktop.</summary>
    public AgentLink LinkTo(Bundle bundle, byte[] agentKey) =>
        new(
            bundle.AgentSocket,
            agentKey,
            options.Deadlines.Patience,
            fault => reports.Fail(DesktopReason.Of(ReasonCodes.AgentUntrusted, fault.Message))
        );

    /// <summary>Pauses or resumes the guest.</summary>
    /// <returns>Null once the keeper has said that it is done; else why it is not.</returns>
    public Task<string?> FreezeAsync(bool frozen) =>
        AskAsync(id => frozen ? new PauseGuest(id) : new ResumeGuest(id), FreezeDeadline, CancellationToken.None);

    /// <summary>Has the guest's snapshot made; it stays paused.</summary>
    /// <returns>As <see cref="FreezeAsync"/>.</returns>
    public Task<string?> SaveAsync(CancellationToken cancellationToken) =>
        AskAsync(id => new SaveGuest(id), Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Has the guest copied.</summary>
    /// <returns>As <see cref="FreezeAsync"/>.</returns>
    public Task<string?> ForkAsync(string directory) =>
        AskAsync(id => new ForkGuest(id, directory), options.DeadlineFor(ForkDeadline, _memoryBytes), CancellationToken.None);

    /// <summary>
    /// A machine's clock stood still with it: gives it the time, and randomness, again. Without effect in a guest whose kernel is the
    /// host's.
    /// </summary>
    public async Task TellTimeAsync()
    {
        using var limit = new CancellationTokenSource(TimeDeadline, clock);
        try
        {
            if (Agent is { } link)
            {
                var agent = await link.ConnectAsync(limit.Token);
                await agent.Guest.RenewAsync(GuestFreshness.Renewal(clock), cancellationToken: limit.Token);
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException or AgentUntrustedException)
        {
            logger.LogWarning(e, "Desktop {Desktop}: its clock could not be set after the pause", id);
        }
    }

    /// <summary>Has the keeper report fresh counters.</summary>
    public async Task RefreshCountersAsync(CancellationToken cancellationToken)
    {
        if (_keeper is { } keeper && await keeper.AskAsync(id => new ReadCounters(id), CountersDeadline, cancellationToken) is { } problem)
        {
            logger.LogDebug("Desktop {Desktop}: no fresh counters: {Problem}", id, problem);
        }
    }

    /// <summary>From now on its end is no failure of the desktop.</summary>
    public void ExpectEnd() => _ending = true;

    /// <summary>Asks for an orderly end, and waits for it as long as the options say.</summary>
    public async Task StopAsync()
    {
        if (_keeper is { } keeper)
        {
            var deadline = options.StopDeadline;
            if (await keeper.AskAsync(id => new StopGuest(id, (int)deadline.TotalMilliseconds), deadline, CancellationToken.None) is null)
            {
                await Task.WhenAny(keeper.Ended, Task.Delay(deadline + TimeSpan.FromSeconds(2), clock));
            }
        }
    }

    /// <summary>Closes the links; keeper and guest live on.</summary>
    public async Task CloseAsync()
    {
        Interlocked.Exchange(ref _agent, null)?.Dispose();
        if (_keeper is not null)
        {
            await _keeper.DisposeAsync();
        }

        await _watching;
    }

    private async Task<string?> AskAsync(Func<long, KeeperCommand> command, TimeSpan deadline, CancellationToken cancellationToken)
    {
        if (_keeper is not { } keeper)
        {
            return "it has no keeper yet";
        }

        var problem = await keeper.AskAsync(command, deadline, cancellationToken);
        if (problem is null)
        {
            return null;
        }

        var patience = Task.Delay(problem == KeeperLink.NoAnswer ? EndDeadline : TimeSpan.Zero, clock, cancellationToken);
        if (await Task.WhenAny(keeper.Ended, patience) != keeper.Ended)
        {
            return problem;
        }

        // First its own reason for the desktop's end, then whatever comes of the answer that is missing.
        await _watching;
        var end = await keeper.Ended;
        return $"the keeper ended{(end.Detail is null ? "" : $": {end.Detail}")}";
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
            []
        );
        _running.TrySetException(new StepFailedException(reason));
        _ = _running.Task.Exception;
        reports.Fail(reason);
    }

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
            case MachineReport report:
                Volatile.Write(ref _report, report);
                changed();
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
        var state = item.State switch
        {
            KeeperStepState.Done => StepState.Done,
            KeeperStepState.Failed => StepState.Failed,
            _ => StepState.Running,
        };
        _lastSeen = $"{item.Name} {state.ToString().ToLowerInvariant()}{(item.Detail is null ? "" : $": {item.Detail}")}";
        if (state == StepState.Failed)
        {
            _failedStep = item.Name;
        }

        if (!_running.Task.IsCompleted || state == StepState.Failed)
        {
            reports.Step(StepView.Of(item.Name, state, item.AtUs, item.ElapsedUs, item.Detail));
        }
    }
}
