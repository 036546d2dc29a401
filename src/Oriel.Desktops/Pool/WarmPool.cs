using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Templates;
using Oriel.Images;
using Oriel.Protocol;

namespace Oriel.Desktops.Pool;

/// <summary>
/// Desktops that wait at the barrier: booted, their session up, nobody's yet. A claim takes one in constant time and hands it out once; the
/// pool fills up again behind it, one desktop at a time, so that those whom somebody waits for come first. Safe for concurrent use.
/// </summary>
internal sealed class WarmPool : IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MostPause = TimeSpan.FromMinutes(1);
    /// <summary>What is tried costs a boot, and a machine's memory of a disk that may be full.</summary>
    private static readonly TimeSpan SnapshotPause = TimeSpan.FromMinutes(15);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Shelf> _shelves;
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly DesktopContext _context;
    private readonly Func<int> _taken;
    private readonly ILogger _logger;
    private Task _filling = Task.CompletedTask;
    private string? _fault;

    /// <param name="taken">How many desktops count against <see cref="DesktopOptions.MaxDesktops"/>.</param>
    public WarmPool(IEnumerable<DesktopTemplate> templates, DesktopContext context, Func<int> taken)
    {
        _shelves = templates.Where(template => template.Warm > 0).ToDictionary(template => template.Name, template => new Shelf(template), StringComparer.Ordinal);
        (_context, _taken) = (context, taken);
        _logger = context.LoggerFactory.CreateLogger<WarmPool>();
    }

    /// <summary>How many exist, ready to be claimed or on their way there.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return CountLocked();
            }
        }
    }

    public void Start()
    {
        if (_shelves.Count > 0)
        {
            _filling = Task.Run(FillAsync);
        }
    }

    public IReadOnlyList<PoolState> States()
    {
        lock (_lock)
        {
            return [.. _shelves.Values.Select(shelf => shelf.State())];
        }
    }

    /// <summary>Takes a desktop of the template off the pool.</summary>
    /// <param name="digest">Of the image that it must have been made from.</param>
    /// <returns>Null when none waits.</returns>
    public WarmDesktop? TryTake(string template, string digest)
    {
        lock (_lock)
        {
            if (!_shelves.TryGetValue(template, out var shelf))
            {
                return null;
            }

            while (shelf.Waiting.TryDequeue(out var member))
            {
                if (member.Desktop.Snapshot.ImageDigest == digest && DesktopTransitions.Counts(member.Desktop.Snapshot.State))
                {
                    shelf.Claimed++;
                    Changed();
                    return member;
                }

                Drop(member, "The image has changed.");
            }

            shelf.Missed++;
            return null;
        }
    }

    /// <summary>Gives the place of a desktop that waits to one that somebody asks for.</summary>
    public void MakeRoom()
    {
        lock (_lock)
        {
            if (_shelves.Values.Where(shelf => shelf.Waiting.Count > 0).MaxBy(shelf => shelf.Waiting.Count) is { } shelf)
            {
                Drop(shelf.Waiting.Dequeue(), "Its place is needed.");
            }
        }
    }

    /// <summary>Ends all that wait: no later server could take them over.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _filling;
        List<WarmDesktop> left;
        lock (_lock)
        {
            left = [.. _shelves.Values.SelectMany(shelf => shelf.Waiting.Concat(shelf.Ending).Append(shelf.Booting).OfType<WarmDesktop>())];
        }

        await Task.WhenAll(left.Select(member => EndAsync(member, "The server stops.")));
        _stopping.Dispose();
    }

    private int CountLocked() => _shelves.Values.Sum(shelf => shelf.Waiting.Count + shelf.Ending.Count + (shelf.Booting is null ? 0 : 1));

    private void Changed() => _changed.Writer.TryWrite(true);

    private async Task FillAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            if (await TryAddAsync())
            {
                continue;
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            limit.CancelAfter(LookAgain);
            await _changed.Reader.ReadAsync(limit.Token).AsTask().ContinueWith(static _ => { }, TaskScheduler.Default);
        }
    }

    /// <returns>False when nothing is to be done for now.</returns>
    private async Task<bool> TryAddAsync()
    {
        try
        {
            await DrainAsync();
            if (_shelves.Values.FirstOrDefault(IsWanted) is not { } next)
            {
                return false;
            }

            await AddAsync(next);
            _fault = null;
            return true;
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception e)
        {
            // Such as a store of images that cannot be read: it is looked at again and again, but told of once.
            if (e.Message != _fault)
            {
                _logger.LogError(e, "The pool cannot be filled");
                _fault = e.Message;
            }

            return false;
        }
    }

    private bool IsWanted(Shelf shelf)
    {
        lock (_lock)
        {
            return shelf.Waiting.Count < shelf.Template.Warm
                && _taken() + CountLocked() < _context.Options.MaxDesktops
                && _context.Clock.GetUtcNow() >= shelf.NotBefore
                && _context.Images.FindUsable(shelf.Template.Image) is not null;
        }
    }

    /// <summary>Ends those whose image is not the one of now, and forgets those that have ended by themselves.</summary>
    private async Task DrainAsync()
    {
        List<WarmDesktop> ended = [];
        lock (_lock)
        {
            foreach (var shelf in _shelves.Values)
            {
                var digest = _context.Images.FindUsable(shelf.Template.Image)?.Digest;
                for (var left = shelf.Waiting.Count; left > 0; left--)
                {
                    var member = shelf.Waiting.Dequeue();
                    var snapshot = member.Desktop.Snapshot;
                    if (snapshot.ImageDigest == digest && DesktopTransitions.Counts(snapshot.State))
                    {
                        shelf.Waiting.Enqueue(member);
                        continue;
                    }

                    Drop(member, "The image has changed.");
                }

                ended.AddRange(shelf.Ending.Where(member => member.Desktop.Destroyed.IsCompleted));
                shelf.Ending.RemoveAll(ended.Contains);
            }
        }

        foreach (var member in ended)
        {
            await member.Desktop.DisposeAsync();
        }
    }

    /// <summary>Makes one more, or the snapshot that the next ones go on from. Whatever goes wrong is told on the shelf, which then waits a while.</summary>
    private async Task AddAsync(Shelf shelf)
    {
        if (_context.Images.FindUsable(shelf.Template.Image) is not { } image)
        {
            return;
        }

        string? problem;
        try
        {
            problem = await MakeAsync(shelf, image);
        }
        catch (Exception e) when (!_stopping.IsCancellationRequested)
        {
            _logger.LogError(e, "Making a warm desktop of template {Template} ended early", shelf.Template.Name);
            problem = e.Message;
        }

        lock (_lock)
        {
            if (problem is null)
            {
                (shelf.Failures, shelf.Problem, shelf.NotBefore) = (0, null, default);
                return;
            }

            if (shelf.Booting is { } member)
            {
                shelf.Booting = null;
                Drop(member, "It could not be made.");
            }

            shelf.Problem = problem;
            var pause = TimeSpan.FromSeconds(Math.Min(MostPause.TotalSeconds, Math.Pow(2, shelf.Failures++)));
            shelf.NotBefore = _context.Clock.GetUtcNow() + pause;
            _logger.LogWarning("A warm desktop of template {Template} was not made, the next one is tried in {Pause:0} s: {Problem}", shelf.Template.Name, pause.TotalSeconds, problem);
        }
    }

    /// <returns>Why nothing was made; null when a desktop waits or a snapshot is there.</returns>
    private async Task<string?> MakeAsync(Shelf shelf, ImageManifest image)
    {
        var origin = await OriginAsync(shelf, image);
        var member = new WarmDesktop(shelf.Template, image, _context, origin);
        lock (_lock)
        {
            shelf.Booting = member;
        }

        var problem = await member.WaitsAsync(_stopping.Token);
        if (origin is { Restored: null })
        {
            problem = problem is null ? await KeepAsync(shelf, image, member, origin.Directory) : $"no snapshot was made: {problem}";
            if (problem is not null)
            {
                problem += RoomWords(origin.Directory, shelf.Template);
                GiveUpSnapshot(shelf, image, problem, member.Desktop.Destroyed.IsCompleted ? origin.Directory : null);
            }

            return problem;
        }

        lock (_lock)
        {
            if (problem is null)
            {
                shelf.Booting = null;
                shelf.Waiting.Enqueue(member);
            }

            return problem;
        }
    }

    /// <summary>
    /// From a snapshot where one fits; else it makes one, where that is possible and has not failed before. Where the store cannot take one,
    /// desktops boot: they come later, but they come.
    /// </summary>
    private async Task<WarmOrigin?> OriginAsync(Shelf shelf, ImageManifest image)
    {
        var (golden, refusal) = await _context.Snapshots.FindAsync(shelf.Template, image, _stopping.Token);
        lock (_lock)
        {
            shelf.SnapshotRefused = refusal;
            if (golden is not null)
            {
                shelf.Unkept = null;
            }
        }

        if (golden is not null)
        {
            // Those that it is in place of.
            await _context.Snapshots.RemoveRefusedAsync(shelf.Template, image, _stopping.Token);
            return new WarmOrigin(golden.Directory, golden);
        }

        if (!_context.Snapshots.ArePossible || shelf.IsUnkept(image.Digest, _context.Clock.GetUtcNow()))
        {
            return null;
        }

        try
        {
            return new WarmOrigin(_context.Snapshots.Begin(image), null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var problem = $"no snapshot can be begun: {e.Message}";
            GiveUpSnapshot(shelf, image, problem, null);
            _logger.LogWarning("Desktops of template {Template} boot: {Problem}", shelf.Template.Name, problem);
            return null;
        }
    }

    /// <summary>The snapshot that was made can be found from now on. Its own machine ends, also where it cannot be found.</summary>
    /// <returns>Why it cannot be found; null when it can.</returns>
    private async Task<string?> KeepAsync(Shelf shelf, ImageManifest image, WarmDesktop member, string directory)
    {
        string? problem = null;
        try
        {
            var spec = KeeperLiveness.ReadSpec(member.Desktop.Resources.Bundle) ?? throw new IOException($"The bundle of {member.Desktop.Id} has no spec.");
            await _context.Snapshots.CompleteAsync(directory, shelf.Template, image, spec.AgentKey, _context.Clock.GetUtcNow(), CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"the snapshot that was made cannot be kept: {e.Message}";
        }

        await EndAsync(member, problem ?? "Its machine is kept as a snapshot.");
        lock (_lock)
        {
            shelf.Booting = null;
            shelf.SnapshotRefused = problem is null ? null : shelf.SnapshotRefused;
        }

        return problem;
    }

    /// <summary>A VMM whose memory file finds no room ends by a signal, and says nothing of it.</summary>
    private static string RoomWords(string directory, DesktopTemplate template) =>
        Directory.Exists(directory) && new DriveInfo(directory).AvailableFreeSpace is var free && free < template.Limits.MemoryBytes
            ? $" (the image store has {free >> 20} MiB left; a snapshot of {template.Name} may take {template.Limits.MemoryBytes >> 20} MiB)"
            : "";

    /// <summary>Desktops of the image boot for a while.</summary>
    /// <param name="unfinished">To be removed, as it may hold as much as a machine's memory; null where there is none, or its machine may still write to it.</param>
    private void GiveUpSnapshot(Shelf shelf, ImageManifest image, string problem, string? unfinished)
    {
        if (unfinished is not null)
        {
            GoldenSnapshots.Abandon(unfinished);
        }

        lock (_lock)
        {
            shelf.Unkept = (image.Digest, problem, _context.Clock.GetUtcNow() + SnapshotPause);
        }
    }

    // Under the lock: the ending itself is the desktop's own work.
    private void Drop(WarmDesktop member, string why)
    {
        _shelves[member.Template.Name].Ending.Add(member);
        _ = member.Desktop.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, why), CancellationToken.None);
        Changed();
    }

    private static async Task EndAsync(WarmDesktop member, string why)
    {
        await member.Desktop.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, why), CancellationToken.None);
        await member.Desktop.Destroyed;
        await member.Desktop.DisposeAsync();
    }
}
