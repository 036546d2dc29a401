using Microsoft.Extensions.Logging;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Pool;

/// <summary>
/// Decides what the next warm desktop of a template starts from, and makes a golden snapshot of one where none fits. Where the image store
/// cannot take one, desktops boot: they come later, but they come. Safe for concurrent use.
/// </summary>
internal sealed class SnapshotMaker(GoldenSnapshots snapshots, TimeProvider clock, ILogger logger)
{
    /// <summary>After a failure. What is tried costs a boot, and a machine's memory of a disk that may be full.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(15);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Outlook> _outlooks = new(StringComparer.Ordinal);

    /// <returns>Why the snapshot that is there is not used, and why none could be made; each null where that is not so.</returns>
    public (string? Refused, string? Problem) StateOf(string template)
    {
        lock (_lock)
        {
            return _outlooks.TryGetValue(template, out var outlook) ? (outlook.Refused, outlook.Failure?.Problem) : (null, null);
        }
    }

    /// <summary>
    /// From a snapshot where one fits; else a boot, of which a snapshot is to be made where that is possible and has not failed recently.
    /// </summary>
    public async Task<Origin> NextAsync(DesktopTemplate template, ImageManifest image, CancellationToken cancellationToken)
    {
        var (golden, refusal) = await snapshots.FindAsync(template, image, cancellationToken);
        Update(template, outlook => outlook with { Refused = refusal, Failure = golden is null ? outlook.Failure : null });
        if (golden is not null)
        {
            // The ones it replaces.
            await snapshots.RemoveRefusedAsync(template, image, cancellationToken);
            return new Origin.Restored(golden);
        }

        if (!snapshots.ArePossible || HasFailed(template, image))
        {
            return new Origin.Cold();
        }

        try
        {
            return new Origin.Cold(snapshots.Begin(image));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var problem = $"no snapshot can be begun: {e.Message}";
            NoteFailure(template, image, problem);
            logger.LogWarning("Desktops of template {Template} boot: {Problem}", template.Name, problem);
            return new Origin.Cold();
        }
    }

    /// <summary>The snapshot that a machine has just written can be found from now on.</summary>
    /// <param name="bundle">Of the desktop that it was made of, which still has its spec.</param>
    /// <returns>Why it cannot be found; null when it can.</returns>
    public async Task<string?> CompleteAsync(DesktopTemplate template, ImageManifest image, Bundle bundle, string directory)
    {
        try
        {
            var spec = bundle.ReadSpec() ?? throw new IOException($"The bundle {bundle} has no spec.");
            await snapshots.CompleteAsync(directory, template, image, spec.AgentKey, clock.GetUtcNow(), CancellationToken.None);
            Update(template, outlook => outlook with { Refused = null });
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the snapshot that was made cannot be saved: {e.Message}";
        }
    }

    /// <summary>Desktops of the image boot for a while.</summary>
    /// <param name="mayBeWritten">The machine may still write to the directory, which is then removed when the next one is begun; it may
    /// hold as much as the machine's memory.</param>
    /// <returns>The problem, with how much room is left where that is the likely cause.</returns>
    public string GiveUp(DesktopTemplate template, ImageManifest image, string directory, string problem, bool mayBeWritten)
    {
        problem += RoomWords(directory, template);
        if (!mayBeWritten)
        {
            GoldenSnapshots.Abandon(directory);
        }

        NoteFailure(template, image, problem);
        return problem;
    }

    /// <summary>A VMM whose memory file finds no room ends by a signal, and says nothing of it.</summary>
    private static string RoomWords(string directory, DesktopTemplate template) =>
        Directory.Exists(directory) && new DriveInfo(directory).AvailableFreeSpace is var free && free < template.Limits.MemoryBytes
            ? $" (the image store has {free >> 20} MiB left; a snapshot of {template.Name} may take {template.Limits.MemoryBytes >> 20} MiB)"
            : "";

    private void NoteFailure(DesktopTemplate template, ImageManifest image, string problem) =>
        Update(template, outlook => outlook with { Failure = new Failure(image.Digest, problem, clock.GetUtcNow() + Pause) });

    private bool HasFailed(DesktopTemplate template, ImageManifest image)
    {
        lock (_lock)
        {
            return _outlooks.TryGetValue(template.Name, out var outlook)
                && outlook.Failure is { } failure
                && failure.Digest == image.Digest
                && clock.GetUtcNow() < failure.Until;
        }
    }

    private void Update(DesktopTemplate template, Func<Outlook, Outlook> change)
    {
        lock (_lock)
        {
            _outlooks[template.Name] = change(_outlooks.GetValueOrDefault(template.Name, new Outlook(null, null)));
        }
    }

    /// <summary>What is known of one template's snapshots.</summary>
    private sealed record Outlook(string? Refused, Failure? Failure);

    /// <summary>
    /// Of which image none could be made, why, and until when its desktops boot without another try; sooner where another server has made
    /// one.
    /// </summary>
    private sealed record Failure(string Digest, string Problem, DateTimeOffset Until);
}
