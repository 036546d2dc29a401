using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Oriel.Agents;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Node;
using Oriel.Desktops.Pool;
using Oriel.Desktops.Resources;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Store;
using Oriel.Desktops.Templates;
using Oriel.Egress;
using Oriel.Images.Store;
using Oriel.Protocol;

namespace Oriel.Desktops.Registry;

/// <summary>All desktops of this node. Safe for concurrent use; the owner starts and disposes it.</summary>
public sealed partial class DesktopService : IAsyncDisposable
{
    private readonly DesktopContext _context;
    private readonly CreationContext _creation;
    private readonly WarmParts _parts;
    private readonly TemplateCatalog _templates;
    private readonly ILogger<DesktopService> _logger;
    private readonly ConcurrentDictionary<DesktopId, Desktop> _desktops = new();
    private readonly Lock _creating = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly WarmPool _pool;
    private Task _watching = Task.CompletedTask;

    public DesktopService(
        DesktopOptions options,
        DesktopStore store,
        IKeeperHost keepers,
        EgressGateway egress,
        ImageStore images,
        TemplateCatalog templates,
        CgroupDelegation cgroups,
        DesktopMetrics metrics,
        TimeProvider clock,
        ILoggerFactory loggerFactory
    )
    {
        Options = options;
        _templates = templates;
        _logger = loggerFactory.CreateLogger<DesktopService>();
        Snapshots = new GoldenSnapshots(options.Driver, images, loggerFactory.CreateLogger<GoldenSnapshots>());
        _context = new DesktopContext(
            new NodeServices(options, keepers, egress, Snapshots.Memories, cgroups, clock),
            store,
            metrics,
            loggerFactory
        );
        _creation = new CreationContext(options, new BootSlots(options.MaxConcurrentBoots), images, clock);
        _parts = new WarmParts(_context, _creation, Snapshots);
        _pool = new WarmPool(templates.All, _parts, () => Count);
        metrics.Observe(() => _desktops.Values.Select(d => d.View), () => _pool.States().Select(state => (state.Template, state.Waiting)));
    }

    public DesktopOptions Options { get; }

    /// <summary>How many count against <see cref="DesktopOptions.MaxDesktops"/>.</summary>
    public int Count => _desktops.Values.Count(d => DesktopTransitions.Counts(d.View.State));

    /// <summary>What waits to be claimed, of each template that wants any.</summary>
    public IReadOnlyList<PoolState> Pool => _pool.States();

    /// <summary>Machines saved at the barrier, for desktops to be restored from.</summary>
    public GoldenSnapshots Snapshots { get; }

    /// <summary>Adopts or removes what earlier servers left, then watches over the host. Call once.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Options.Layout.Desktops, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var template in _templates.All.Where(template => template.Limits.DiskBytes > 0 && !Options.Driver.HasScratchDisk))
        {
            _logger.LogWarning(
                "The template '{Template}' has diskBytes, which do not hold here: desktops of the driver {Driver} have no disk of their own and write to the server's",
                template.Name,
                Options.Driver.Name
            );
        }

        await AdoptAllAsync(cancellationToken);
        _watching = Task.Run(WatchAsync, CancellationToken.None);
        _pool.Start();
    }

    /// <summary>Begins to create a desktop, or claims one that waits; it is in the list when this returns.</summary>
    /// <param name="request">Already validated against the template it names.</param>
    public async Task<CreateResult> CreateAsync(DesktopSpec request)
    {
        var image = _creation.Images.FindUsable(request.Image);
        if (image is null)
        {
            var there = _creation.Images.Find(request.Image);
            return CreateResult.ImageMissing(
                there is null
                    ? $"There is no image '{request.Image}'. Build it: ./oriel image build images/{request.Image}"
                    : $"The image '{request.Image}' has not passed its boot test{(there.BootTest?.Reason is { } why ? ": " + why : "")}."
            );
        }

        if (Options.Driver.NeedsDisks && image.Disks is null)
        {
            return CreateResult.ImageMissing(
                $"The image '{request.Image}' has no disks, which {Options.Driver.Name} starts from. Build it anew: ./oriel image build images/{request.Image}"
            );
        }

        if (request.NeedsVm && Options.Driver.Isolation != DesktopDriver.MicroVm)
        {
            return CreateResult.IsolationUnavailable(
                $"The template '{request.Template}' demands a virtual machine, and this server's desktops are containers. ./oriel doctor says what is missing; --driver qemu does without KVM, slowly."
            );
        }

        if (!ImageZones.Has(_creation.Images.DirectoryOf(image.Digest).Tree, request.TimeZone))
        {
            return CreateResult.BadRequest($"timeZone: the image '{request.Image}' has no zone {request.TimeZone}");
        }

        var template = _templates.Find(request.Template);
        var golden = template is null ? null : (await Snapshots.FindAsync(template, image, CancellationToken.None)).Snapshot;
        while (true)
        {
            var placed = Place(
                request,
                image,
                golden is null ? null : () => new WarmDesktop(template!, image, _parts, new Origin.Restored(golden))
            );
            if (placed.Settled is { } settled)
            {
                return await StoredAsync(settled);
            }

            if (await placed.Warm!.ClaimAsync(request))
            {
                return CreateResult.Of(placed.Warm.Desktop);
            }

            _desktops.TryRemove(placed.Warm.Desktop.Id, out _);
            golden = placed.IsRestored ? null : golden;
        }
    }

    /// <summary>Begins to copy a desktop that is ready; the copy is in the list when this returns.</summary>
    /// <param name="name">Of the copy.</param>
    public async Task<CreateResult> ForkAsync(Desktop source, string name, CancellationToken cancellationToken)
    {
        if (!source.CanFork)
        {
            return CreateResult.NotPossible(
                $"A desktop of the driver {source.View.Driver} cannot be forked; one in a virtual machine can."
            );
        }

        if (source.IsPausedForIdle)
        {
            await source.ResumeAsync(cancellationToken);
        }

        var view = source.View;
        if (
            view.State != DesktopState.Ready
            || source.Attestation is not { } attestation
            || source.Resources.Bundle.ReadSpec() is not { } keeper
        )
        {
            return CreateResult.WrongState(new VerbResult(DesktopVerb.Fork, view.State, view.State, Accepted: false).Message);
        }

        if (_creation.Images.Find(view.ImageDigest) is not { } image)
        {
            return CreateResult.ImageMissing($"The image {view.ImageDigest} of the desktop is not in the store any more.");
        }

        var from = new ForkSource(
            () => source.View,
            source.EgressPolicy,
            keeper,
            attestation,
            () => source.Resources.Machine.Agent,
            source.ForkAsync
        );
        var spec = from.SpecOf(name);
        CreateResult result;
        lock (_creating)
        {
            result = Refusal() ?? Begin(spec, image, new Origin.Fork(from));
        }

        return await StoredAsync(result);
    }

    /// <summary>A desktop is stored before it is reported, so that the next server knows it too.</summary>
    private static async Task<CreateResult> StoredAsync(CreateResult result)
    {
        await (result.Desktop?.Stored ?? Task.CompletedTask);
        return result;
    }

    /// <summary>Why there is no place for one more; null where there is. Under the lock.</summary>
    private CreateResult? Refusal()
    {
        if (_stopping.IsCancellationRequested)
        {
            return CreateResult.TooMany("The server is stopping.");
        }

        if (Count >= Options.MaxDesktops)
        {
            return CreateResult.TooMany(
                $"{Options.MaxDesktops} desktops exist already, which is the most that this server runs at the same time. Destroy one first."
            );
        }

        return null;
    }

    /// <summary>Gives the place of one that waits, where there is no other. Under the lock.</summary>
    private void MakeRoom()
    {
        if (Count + _pool.Count >= Options.MaxDesktops)
        {
            _pool.MakeRoom();
        }
    }

    private CreateResult Begin(DesktopSpec request, ImageManifest image, Origin origin)
    {
        MakeRoom();
        var view = DesktopView.New(request, image.Name, image.Digest, Options.Driver.Name, _context.Clock.GetUtcNow());
        var desktop = new Desktop(_context, new StoredDesktop(view, request.Egress, null, 0), []);
        _desktops[desktop.Id] = desktop;
        desktop.Start((d, token) => new DesktopCreation(request, image, _creation, d.Resources, d.Reports).RunAsync(origin, null, token));
        return CreateResult.Of(desktop);
    }

    /// <summary>Finds a place for one more: a desktop that waits, else one that is restored from a snapshot, else one that boots.</summary>
    /// <param name="restore">Null where there is no snapshot.</param>
    /// <returns>A warm one, which counts already and is yet to be claimed; or what is settled: refused, or booting.</returns>
    private (WarmDesktop? Warm, bool IsRestored, CreateResult? Settled) Place(
        DesktopSpec request,
        ImageManifest image,
        Func<WarmDesktop>? restore
    )
    {
        lock (_creating)
        {
            if (Refusal() is { } refusal)
            {
                return (null, false, refusal);
            }

            if (_pool.TryTake(request.Template, image.Digest) is { } waited)
            {
                _desktops[waited.Desktop.Id] = waited.Desktop;
                return (waited, false, null);
            }

            if (restore is not null)
            {
                MakeRoom();
                var restored = restore();
                _desktops[restored.Desktop.Id] = restored.Desktop;
                return (restored, true, null);
            }

            return (null, false, Begin(request, image, new Origin.Cold()));
        }
    }

    public bool TryGet(DesktopId id, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Desktop? desktop) =>
        _desktops.TryGetValue(id, out desktop);

    /// <summary>Newest first.</summary>
    /// <param name="all">With those destroyed within the last hour.</param>
    public IReadOnlyList<Desktop> List(bool all) =>
        [.. _desktops.Values.Where(d => all || d.View.State != DesktopState.Destroyed).OrderByDescending(d => d.View.CreatedAt)];

    /// <summary>A viewer is about to connect: a paused desktop is resumed.</summary>
    public async Task WakeAsync(DesktopId id, CancellationToken cancellationToken)
    {
        if (TryGet(id, out var desktop) && desktop.View.State == DesktopState.Paused)
        {
            await desktop.ResumeAsync(cancellationToken);
        }
    }

    /// <summary>The shared, live connection to a desktop's agent; never dispose it.</summary>
    /// <param name="isUse">Holds off the idle time-out, and wakes a desktop that was paused for being idle.</param>
    /// <exception cref="DesktopUnavailableException">Not there, not ready, or gone.</exception>
    public async ValueTask<AgentConnection> ConnectAgentAsync(DesktopId id, CancellationToken cancellationToken, bool isUse = true)
    {
        if (!TryGet(id, out var desktop))
        {
            throw new DesktopUnavailableException(RequestReasons.NoSuchDesktop, $"There is no desktop {id}.");
        }

        if (isUse && desktop.IsPausedForIdle)
        {
            await desktop.ResumeAsync(cancellationToken);
        }

        var state = desktop.View.State;
        if (
            state is DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed
            || desktop.Resources.Machine.Agent is not { } link
        )
        {
            var gone = state is DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed;
            throw new DesktopUnavailableException(
                gone ? RequestReasons.DesktopGone : RequestReasons.NotReady,
                $"The desktop is {state.Name()}."
            );
        }

        if (state is not DesktopState.Ready)
        {
            throw new DesktopUnavailableException(RequestReasons.NotReady, $"The desktop is {state.Name()}.");
        }

        if (isUse)
        {
            desktop.Touch();
        }

        try
        {
            return await link.ConnectAsync(cancellationToken);
        }
        catch (Exception e)
            when (e is Grpc.Core.RpcException or OperationCanceledException or ObjectDisposedException or AgentUntrustedException
                && !cancellationToken.IsCancellationRequested
            )
        {
            throw new DesktopUnavailableException(RequestReasons.DesktopGone, "The desktop's agent does not answer.", e);
        }
    }

    public void ViewerJoined(DesktopId id)
    {
        if (TryGet(id, out var desktop))
        {
            desktop.ViewerJoined();
        }
    }

    public void ViewerLeft(DesktopId id)
    {
        if (TryGet(id, out var desktop))
        {
            desktop.ViewerLeft();
        }
    }

    /// <summary>Lets go of all desktops: those that live go on living. Idempotent.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_creating)
        {
            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            _stopping.Cancel();
        }

        await _watching;
        await _pool.DisposeAsync();
        await Task.WhenAll(_desktops.Values.Select(d => d.DisposeAsync().AsTask()));
        _creation.Slots.Dispose();
    }
}

/// <summary>A desktop, or why there is none.</summary>
/// <param name="Reason"><c>image-missing</c>, <c>isolation-unavailable</c>, <c>too-many-desktops</c>, <c>not-possible-here</c>,
/// <c>wrong-state</c>, or null.</param>
public sealed record CreateResult(Desktop? Desktop, string? Reason, string? Message)
{
    internal static CreateResult Of(Desktop desktop) => new(desktop, null, null);

    internal static CreateResult ImageMissing(string message) => new(null, RequestReasons.ImageMissing, message);

    internal static CreateResult BadRequest(string message) => new(null, RequestReasons.BadRequest, message);

    internal static CreateResult IsolationUnavailable(string message) => new(null, RequestReasons.IsolationUnavailable, message);

    internal static CreateResult NotPossible(string message) => new(null, RequestReasons.NotPossibleHere, message);

    internal static CreateResult WrongState(string message) => new(null, RequestReasons.WrongState, message);

    internal static CreateResult TooMany(string message) => new(null, RequestReasons.TooManyDesktops, message);
}

/// <summary>A desktop cannot be used now.</summary>
/// <param name="reason"><c>no-such-desktop</c>, <c>not-ready</c> or <c>desktop-gone</c>.</param>
public sealed class DesktopUnavailableException(string reason, string message, Exception? cause = null) : Exception(message, cause)
{
    public string Reason { get; } = reason;
}
