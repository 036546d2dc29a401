using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Events;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Resources;
using Oriel.Desktops.Steps;
using Oriel.Desktops.Store;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Loop;

/// <summary>
/// One desktop. Its state changes in one loop only, by <see cref="DesktopTransitions"/>; everyone else sends it messages and reads
/// <see cref="Snapshot"/>. Its work (creating, or taking down) is one task at a time, which reports to the loop.
/// </summary>
public sealed partial class Desktop : IAsyncDisposable
{
    private const int LogLinesInReason = 20;
    private const int SequenceBlock = 1000;

    private readonly DesktopContext _context;
    private readonly ILogger _logger;

    // Bounded, and writers wait: the loop's work is short, and nothing that reports a step may be lost.
    private readonly Channel<Message> _inbox = Channel.CreateBounded<Message>(new BoundedChannelOptions(256) { SingleReader = true });
    private readonly List<DesktopEvent> _unsaved = [];
    private readonly CancellationTokenSource _work = new();
    private readonly TaskCompletionSource _destroyed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stored = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _working = Task.CompletedTask;
    private Task _loop = Task.CompletedTask;
    private DesktopView _view;
    private AttestationDocument? _attestation;
    private EgressPolicy _policy;
    private long _ceiling;
    private long _lastActivity;
    private int _viewers;
    private int _uses;
    private string? _storedStep;
    private bool _detached;
    private volatile bool _unclaimed;
    private volatile bool _pausedForIdle;

    /// <param name="unclaimed">Nobody's yet: it waits in a pool, and nothing of it is stored.</param>
    internal Desktop(DesktopContext context, StoredDesktop stored, IReadOnlyList<DesktopEvent> past, bool unclaimed = false)
    {
        _unclaimed = unclaimed;
        _context = context;
        _logger = context.LoggerFactory.CreateLogger<Desktop>();
        _view = stored.View;
        _attestation = stored.Attestation;
        _policy = stored.Egress;
        _ceiling = stored.EventCeiling;
        Events = new DesktopEventLog(context.Clock, Math.Max(1, stored.EventCeiling));
        Events.Restore(past);
        Reports = new Reports(() => View, step => Post(new StepMessage(step)), Warn, Log, Fail, AdvanceAsync);
        Resources = new DesktopResources(
            Id.ToString(),
            Reports,
            () => EgressPolicy,
            () => Post(new MachineMessage()),
            entry => Log(entry),
            context.Node,
            _logger
        );
        _timer = context.Clock.CreateTimer(
            _ => _inbox.Writer.TryWrite(new TimeMessage()),
            null,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan
        );
        Touch();
    }

    public DesktopId Id => _view.Id;

    public DesktopView View => Volatile.Read(ref _view) with { Viewers = Viewers };

    public DesktopEventLog Events { get; }

    /// <summary>Null until the desktop was ready once.</summary>
    public AttestationDocument? Attestation => Volatile.Read(ref _attestation);

    /// <summary>Null while the desktop has no way out: before its keeper starts and after it ended.</summary>
    public EgressSession? Egress => Resources.Egress;

    public EgressPolicy EgressPolicy => Volatile.Read(ref _policy);

    /// <summary>Counters of the keeper, such as dropped packets by protocol.</summary>
    public IReadOnlyDictionary<string, long> Counters => Resources.Machine.Counters;

    public int Viewers => Volatile.Read(ref _viewers);

    /// <summary>Completes when nothing of the desktop is left.</summary>
    public Task Destroyed => _destroyed.Task;

    /// <summary>Completes when the next server would know of the desktop, or when it cannot be stored, which fails it.</summary>
    internal Task Stored => _stored.Task;

    /// <summary>When a viewer or a request was last there.</summary>
    public DateTimeOffset LastActivity => new(Interlocked.Read(ref _lastActivity), TimeSpan.Zero);

    internal DesktopResources Resources { get; }

    internal Reports Reports { get; }

    /// <summary>A viewer, or a request that is not answered yet.</summary>
    private bool IsInUse => Viewers > 0 || Volatile.Read(ref _uses) > 0;

    /// <summary>It is in use until the result is disposed, and not idle before that.</summary>
    public IDisposable Use()
    {
        Touch();
        Interlocked.Increment(ref _uses);
        return new Usage(this);
    }

    /// <summary>Notes that the desktop is in use; holds off the idle time-out.</summary>
    public void Touch() => Interlocked.Exchange(ref _lastActivity, _context.Clock.GetUtcNow().UtcTicks);

    /// <summary>Wants the desktop gone. Returns once that is decided, not once it is done (<see cref="Destroyed"/>).</summary>
    public Task<VerbResult> DestroyAsync(DesktopReason reason, CancellationToken cancellationToken) =>
        SendVerbAsync(DesktopVerb.Destroy, reason, cancellationToken);

    /// <summary>Whether it is paused because nobody used it, so that the next use wakes it.</summary>
    public bool IsPausedForIdle => _pausedForIdle && View.State == DesktopState.Paused;

    /// <summary>Freezes the guest.</summary>
    public Task<VerbResult> PauseAsync(CancellationToken cancellationToken) => SendVerbAsync(DesktopVerb.Pause, null, cancellationToken);

    public Task<VerbResult> ResumeAsync(CancellationToken cancellationToken) => SendVerbAsync(DesktopVerb.Resume, null, cancellationToken);

    /// <summary>Whether its driver can copy it while it lives.</summary>
    public bool CanFork => _context.Node.Options.Driver is { CanFork: true } driver && driver.Name == View.Driver;

    /// <summary>Copies memory, devices and disk into an empty directory; the guest is paused meanwhile.</summary>
    internal Task<VerbResult> ForkAsync(string directory, CancellationToken cancellationToken) =>
        SendVerbAsync(DesktopVerb.Fork, null, cancellationToken, directory: directory);

    /// <summary>Replaces the egress policy; open connections that it refuses are cut.</summary>
    /// <exception cref="ArgumentException">The policy does not validate.</exception>
    public async Task SetEgressPolicyAsync(EgressPolicy policy, CancellationToken cancellationToken)
    {
        Egress?.SetPolicy(policy);
        await _inbox.Writer.WriteAsync(new PolicyMessage(policy), cancellationToken);
    }

    /// <summary>Asks the keeper for fresh <see cref="Counters"/>; they follow shortly.</summary>
    public Task RefreshCountersAsync(CancellationToken cancellationToken) => Resources.Machine.RefreshCountersAsync(cancellationToken);

    public void ViewerJoined() => CountViewer(+1);

    public void ViewerLeft() => CountViewer(-1);

    /// <summary>The screen's present size. However often a guest changes it, the newest is stored once a second.</summary>
    public void Resized(int width, int height)
    {
        Interlocked.Exchange(ref _newSize, ((long)width << 32) | (uint)height);
        if (Interlocked.Exchange(ref _isSizePosted, 1) == 0 && !_inbox.Writer.TryWrite(new SizeMessage()))
        {
            Volatile.Write(ref _isSizePosted, 0);
        }
    }

    /// <summary>
    /// Lets go of the desktop without touching it: the keeper lives on for the next server. Idempotent; a desktop that is ending is
    /// taken down first.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (!_detached)
        {
            _detached = true;
            if (View.State is DesktopState.Failed or DesktopState.Destroying)
            {
                await Destroyed;
            }

            await _work.CancelAsync();
            await _working;
            _inbox.Writer.TryComplete();
            await _loop;
            await Resources.DetachAsync();
            await _asking;
            await _telling;
            await _timer.DisposeAsync();
            _work.Dispose();
        }
    }

    /// <summary>Keeps the stored sequence ahead of the one in use, so that a later server never gives a number out twice.</summary>
    internal void KeepSequence()
    {
        if (Events.NextSequence + SequenceBlock / 4 > Volatile.Read(ref _ceiling))
        {
            _inbox.Writer.TryWrite(new SaveMessage());
        }
    }

    /// <summary>Begins the loop and the creation, or the adoption, that it owns.</summary>
    internal void Start(Func<Desktop, CancellationToken, Task> work)
    {
        PublishState();
        _loop = Task.Run(RunAsync);
        _working = Task.Run(() => GuardAsync(work));
    }

    /// <summary>For a desktop of the past: nothing runs, everybody may read.</summary>
    internal void StayDestroyed()
    {
        _inbox.Writer.TryComplete();
        _destroyed.TrySetResult();
    }

    /// <summary>Goes on with taking down what an earlier server began to take down.</summary>
    internal void ResumeTakedown() => Post(new TakedownMessage());

    /// <summary>Claims a desktop that waits.</summary>
    /// <param name="become">What it is from now on, of what it was.</param>
    /// <returns>False when it is ending.</returns>
    internal async Task<bool> ClaimAsync(Func<DesktopView, DesktopView> become, EgressPolicy policy)
    {
        var done = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await _inbox.Writer.WriteAsync(new ClaimMessage(become, policy, done));
        }
        catch (ChannelClosedException)
        {
            return false;
        }

        return await done.Task;
    }

    /// <summary>Ends the desktop because something went wrong; without effect when it is ending already.</summary>
    internal void Fail(DesktopReason reason)
    {
        Post(
            new VerbMessage(
                DesktopVerb.Fail,
                reason.Log.Count > 0 ? reason : reason with { Log = Events.LastLog(LogLinesInReason) },
                null,
                null
            )
        );
    }

    /// <summary>Warns of something, or of it no more; without effect where that is so already.</summary>
    /// <param name="code">One of <see cref="WarningCodes"/>.</param>
    /// <param name="message">Null where the cause is gone.</param>
    internal void Warn(string code, string? message)
    {
        if (View.Warnings.Any(warning => warning.Code == code) != message is not null)
        {
            Post(new WarningMessage(code, message));
        }
    }

    private void Log(string line) => Events.Publish("log", new LogEvent(ForeignWords.Of(line)));

    private void Log(EgressEntry entry) => Events.Publish("egress", new EgressEvent(entry));

    private void Post(Message message)
    {
        if (!_inbox.Writer.TryWrite(message))
        {
            // Full: it waits its turn; a closed inbox means that the desktop is let go, and nobody asks any more.
            _ = PostAsync(message);
        }
    }

    /// <returns>False when the desktop is let go.</returns>
    private async Task<bool> PostAsync(Message message)
    {
        try
        {
            await _inbox.Writer.WriteAsync(message);
            return true;
        }
        catch (ChannelClosedException)
        {
            return false;
        }
    }

    private void CountViewer(int by)
    {
        Touch();
        var viewers = Interlocked.Add(ref _viewers, by);
        Events.Publish("viewers", new ViewersEvent(viewers));
        if (viewers == 0)
        {
            // From here on it may become idle.
            Post(new TimeMessage());
        }
    }

    private void EndUse()
    {
        Touch();
        if (Interlocked.Decrement(ref _uses) == 0)
        {
            // From here on it may become idle.
            Post(new TimeMessage());
        }
    }

    private Task AdvanceAsync(DesktopVerb verb, AttestationDocument? document, CancellationToken cancellationToken) =>
        SendVerbAsync(verb, null, cancellationToken, document: document);

    private async Task<VerbResult> SendVerbAsync(
        DesktopVerb verb,
        DesktopReason? reason,
        CancellationToken cancellationToken,
        string? directory = null,
        AttestationDocument? document = null
    )
    {
        var done = new TaskCompletionSource<VerbResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await _inbox.Writer.WriteAsync(new VerbMessage(verb, reason, document, done, Directory: directory), cancellationToken);
        }
        catch (ChannelClosedException)
        {
            var state = View.State;
            return new VerbResult(verb, state, state, Accepted: false);
        }

        return await done.Task.WaitAsync(cancellationToken);
    }

    private async Task GuardAsync(Func<Desktop, CancellationToken, Task> work)
    {
        try
        {
            await work(this, _work.Token);
        }
        catch (StepFailedException e)
        {
            Fail(e.Reason);
        }
        catch (OperationCanceledException) when (_work.IsCancellationRequested)
        {
            // Destroyed, failed or let go meanwhile: whoever cancelled knows why.
        }
        catch (Exception e)
        {
            _logger.LogError(e, "Desktop {Desktop}: creation broke", Id);
            Fail(DesktopReason.OfFault(e, "The server failed while it created the desktop"));
        }
    }

    private abstract record Message;

    private sealed record VerbMessage(
        DesktopVerb Verb,
        DesktopReason? Reason,
        AttestationDocument? Document,
        TaskCompletionSource<VerbResult>? Done,
        bool ForIdle = false,
        string? Directory = null
    ) : Message;

    private sealed record StepMessage(StepView Step) : Message;

    private sealed record PolicyMessage(EgressPolicy Policy) : Message;

    private sealed record TakedownMessage : Message;

    private sealed record ClaimMessage(Func<DesktopView, DesktopView> Become, EgressPolicy Policy, TaskCompletionSource<bool> Done)
        : Message;

    private sealed record SaveMessage : Message;

    private sealed record WarningMessage(string Code, string? Text) : Message;

    private sealed record SizeMessage : Message;

    private sealed class Usage(Desktop desktop) : IDisposable
    {
        private Desktop? _desktop = desktop;

        public void Dispose() => Interlocked.Exchange(ref _desktop, null)?.EndUse();
    }
}
