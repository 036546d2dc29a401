using Oriel.Desktops.Templates;

namespace Oriel.Desktops.Pool;

/// <summary>What a pool has and knows of one template. Read and written under the pool's lock.</summary>
internal sealed class TemplatePool(DesktopTemplate template)
{
    public DesktopTemplate Template => template;

    public Queue<WarmDesktop> Waiting { get; } = new();

    public List<WarmDesktop> Ending { get; } = [];

    public WarmDesktop? Booting { get; set; }

    public long Claimed { get; set; }

    public long Missed { get; set; }

    public int Failures { get; set; }

    public string? Problem { get; set; }

    public DateTimeOffset NotBefore { get; set; }

    public PoolState State((string? Refused, string? Problem) snapshot) =>
        new(
            template.Name,
            template.Warm,
            Waiting.Count,
            Booting is null ? 0 : 1,
            Claimed,
            Missed,
            Problem,
            snapshot.Refused,
            snapshot.Problem
        );
}

/// <param name="Wanted">How many should wait.</param>
/// <param name="Waiting">How many do.</param>
/// <param name="Claimed">How many were handed out since the server started.</param>
/// <param name="Missed">How often none waited when one was asked for, so that it was booted.</param>
/// <param name="Problem">Why the last one could not be made; null when it could.</param>
/// <param name="SnapshotRefused">Why the snapshot that is there is not used, until another has been made; null when it is used, or there is
/// none.</param>
/// <param name="SnapshotProblem">Why none could be made, so that desktops boot instead; null when none was tried, or one is there.</param>
public sealed record PoolState(
    string Template,
    int Wanted,
    int Waiting,
    int Booting,
    long Claimed,
    long Missed,
    string? Problem,
    string? SnapshotRefused,
    string? SnapshotProblem
);
