using Microsoft.Extensions.Logging;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;
using Oriel.Protocol;

namespace Oriel.Desktops.Pool;

/// <summary>
/// Desktops that wait at the barrier: booted, their session up, nobody's yet. A claim takes one in constant time and hands it out once; the
/// pool fills up again behind it, one desktop at a time, so that those that a request waits for come first. Safe for concurrent use.
/// </summary>
internal sealed class WarmPool : IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MostPause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, TemplatePool> _pools;
    private readonly Wake _changed = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly WarmParts _parts;
    private readonly SnapshotMaker _maker;
    private readonly Func<int> _taken;
    private readonly ILogger _logger;
    private Task _filling = Task.CompletedTask;
    private string? _fault;

    /// <param name="taken">How many desktops count against <see cref="DesktopOptions.MaxDesktops"/>.</param>
    public WarmPool(IEnumerable<DesktopTemplate> templates, WarmParts parts, Func<int> taken)
    {
        _pools = templates
            .Where(template => template.Warm > 0)
            .ToDictionary(template => template.Name, template => new TemplatePool(template), StringComparer.Ordinal);
        (_parts, _taken) = (parts, taken);
        _logger = parts.Desktops.LoggerFactory.CreateLogger<WarmPool>();
        _maker = new SnapshotMaker(parts.Snapshots, parts.Creation.Clock, _logger);
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
        if (_pools.Count > 0)
        {
            _filling = Task.Run(FillAsync);
        }
    }

    public IReadOnlyList<PoolState> States()
    {
        lock (_lock)
        {
            return [.. _pools.Values.Select(pool => pool.State(_maker.StateOf(pool.Template.Name)))];
        }
    }

    /// <summary>Takes a desktop of the template off the pool.</summary>
    /// <param name="digest">Of the image that it must have been made from.</param>
    /// <returns>Null when none waits.</returns>
    public WarmDesktop? TryTake(string template, string digest)
    {
        lock (_lock)
        {
            if (!_pools.TryGetValue(template, out var pool))
            {
                return null;
            }

            while (pool.Waiting.TryDequeue(out var member))
            {
                if (member.Desktop.View.ImageDigest == digest && DesktopTransitions.Counts(member.Desktop.View.State))
                {
                    pool.Claimed++;
                    _changed.Set();
                    return member;
                }

                Drop(member, "The image has changed.");
            }

            pool.Missed++;
            return null;
        }
    }

    /// <summary>Gives the place of a waiting desktop to a requested one.</summary>
    public void MakeRoom()
    {
        lock (_lock)
        {
            if (_pools.Values.Where(pool => pool.Waiting.Count > 0).MaxBy(pool => pool.Waiting.Count) is { } pool)
            {
                Drop(pool.Waiting.Dequeue(), "Its place is needed.");
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
            left = [.. _pools.Values.SelectMany(pool => pool.Waiting.Concat(pool.Ending).Append(pool.Booting).OfType<WarmDesktop>())];
        }

        await Task.WhenAll(left.Select(member => EndAsync(member, "The server stops.")));
        _stopping.Dispose();
    }

    private int CountLocked() => _pools.Values.Sum(pool => pool.Waiting.Count + pool.Ending.Count + (pool.Booting is null ? 0 : 1));

    private async Task FillAsync()
    {
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                if (!await TryAddAsync())
                {
                    await _changed.WaitAsync(UntilNextLook(), _parts.Creation.Clock, _stopping.Token);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The server stops.
        }
    }

    private TimeSpan UntilNextLook()
    {
        var now = _parts.Creation.Clock.GetUtcNow();
        lock (_lock)
        {
            return _pools.Values.Select(pool => pool.NotBefore - now).Where(left => left > TimeSpan.Zero).Append(LookAgain).Min();
        }
    }

    /// <returns>False when nothing is to be done for now.</returns>
    private async Task<bool> TryAddAsync()
    {
        try
        {
            await DrainAsync();
            if (_pools.Values.FirstOrDefault(IsWanted) is not { } next)
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
            // Such as a store of images that cannot be read: it is retried again and again, but reported once.
            if (e.Message != _fault)
            {
                _logger.LogError(e, "The pool cannot be filled");
                _fault = e.Message;
            }

            return false;
        }
    }

    private bool IsWanted(TemplatePool pool)
    {
        lock (_lock)
        {
            return pool.Waiting.Count < pool.Template.Warm
                && _taken() + CountLocked() < _parts.Creation.Options.MaxDesktops
                && _parts.Creation.Clock.GetUtcNow() >= pool.NotBefore
                && _parts.Creation.Images.FindUsable(pool.Template.Image) is not null;
        }
    }

    /// <summary>Ends those whose image is not the one of now, and forgets those that have ended by themselves.</summary>
    private async Task DrainAsync()
    {
        List<WarmDesktop> ended = [];
        lock (_lock)
        {
            foreach (var pool in _pools.Values)
            {
                var digest = _parts.Creation.Images.FindUsable(pool.Template.Image)?.Digest;
                for (var left = pool.Waiting.Count; left > 0; left--)
                {
                    var member = pool.Waiting.Dequeue();
                    var view = member.Desktop.View;
                    if (view.ImageDigest == digest && DesktopTransitions.Counts(view.State))
                    {
                        pool.Waiting.Enqueue(member);
                        continue;
                    }

                    Drop(member, "The image has changed.");
                }

                ended.AddRange(pool.Ending.Where(member => member.Desktop.Destroyed.IsCompleted));
                pool.Ending.RemoveAll(ended.Contains);
            }
        }

        foreach (var member in ended)
        {
            await member.Desktop.DisposeAsync();
        }
    }

    /// <summary>
    /// Makes one more, or the snapshot that the next ones are restored from. Whatever goes wrong is noted on the pool, which then waits a
    /// while.
    /// </summary>
    private async Task AddAsync(TemplatePool pool)
    {
        if (_parts.Creation.Images.FindUsable(pool.Template.Image) is not { } image)
        {
            return;
        }

        string? problem;
        try
        {
            problem = await MakeAsync(pool, image);
        }
        catch (Exception e) when (!_stopping.IsCancellationRequested)
        {
            _logger.LogError(e, "Making a warm desktop of template {Template} ended early", pool.Template.Name);
            problem = e.Message;
        }

        lock (_lock)
        {
            if (problem is null)
            {
                (pool.Failures, pool.Problem, pool.NotBefore) = (0, null, default);
                return;
            }

            if (pool.Booting is { } member)
            {
                pool.Booting = null;
                Drop(member, "It could not be made.");
            }

            pool.Problem = problem;
            var pause = TimeSpan.FromSeconds(Math.Min(MostPause.TotalSeconds, Math.Pow(2, pool.Failures++)));
            pool.NotBefore = _parts.Creation.Clock.GetUtcNow() + pause;
            _logger.LogWarning(
                "A warm desktop of template {Template} was not made, the next one is tried in {Pause:0} s: {Problem}",
                pool.Template.Name,
                pause.TotalSeconds,
                problem
            );
        }
    }

    /// <returns>Why nothing was made; null when a desktop waits or a snapshot is there.</returns>
    private async Task<string?> MakeAsync(TemplatePool pool, ImageManifest image)
    {
        var origin = await _maker.NextAsync(pool.Template, image, _stopping.Token);
        var member = new WarmDesktop(pool.Template, image, _parts, origin);
        lock (_lock)
        {
            pool.Booting = member;
        }

        var problem = await member.WaitsAsync(_stopping.Token);
        if (origin is Origin.Cold { SaveTo: { } directory })
        {
            return await CompleteAsync(pool, image, member, directory, problem);
        }

        lock (_lock)
        {
            if (problem is null)
            {
                pool.Booting = null;
                pool.Waiting.Enqueue(member);
            }

            return problem;
        }
    }

    /// <summary>The desktop that a snapshot was made of ends, whatever became of the snapshot.</summary>
    /// <param name="problem">Why the desktop did not get as far as that.</param>
    private async Task<string?> CompleteAsync(TemplatePool pool, ImageManifest image, WarmDesktop member, string directory, string? problem)
    {
        if (problem is not null)
        {
            problem = $"no snapshot was made: {problem}";
        }
        else
        {
            problem = await _maker.CompleteAsync(pool.Template, image, member.Desktop.Resources.Bundle, directory);
            await EndAsync(member, problem ?? "Its machine was saved as a snapshot.");
            lock (_lock)
            {
                pool.Booting = null;
            }
        }

        return problem is null
            ? null
            : _maker.GiveUp(pool.Template, image, directory, problem, mayBeWritten: !member.Desktop.Destroyed.IsCompleted);
    }

    // Under the lock: the ending itself is the desktop's own work.
    private void Drop(WarmDesktop member, string why)
    {
        _pools[member.Template.Name].Ending.Add(member);
        _ = member.Desktop.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, why), CancellationToken.None);
        _changed.Set();
    }

    private static async Task EndAsync(WarmDesktop member, string why)
    {
        await member.Desktop.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, why), CancellationToken.None);
        await member.Desktop.Destroyed;
        await member.Desktop.DisposeAsync();
    }
}
