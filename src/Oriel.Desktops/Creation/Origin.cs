using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Snapshots;

namespace Oriel.Desktops.Creation;

/// <summary>What a desktop's guest comes from.</summary>
internal abstract record Origin
{
    private Origin() { }

    /// <summary>It boots.</summary>
    /// <param name="SaveTo">Empty directory for the snapshot that is to be made of it at the barrier; null = none.</param>
    internal sealed record Cold(string? SaveTo = null) : Origin;

    /// <summary>It is restored from a snapshot that was made at the barrier.</summary>
    internal sealed record Restored(GoldenSnapshot Snapshot) : Origin;

    /// <summary>
    /// It is copied from a desktop that runs. Nothing is configured: it must show what the other one showed just before, and its own way
    /// out.
    /// </summary>
    internal sealed record Fork(ForkSource Source) : Origin;
}

/// <summary>Where a desktop waits that is nobody's yet: its session up, both windows there, nothing of anybody in it.</summary>
/// <param name="Reached">Called when it is there.</param>
/// <param name="Claimed">What is asked of it, once it has been claimed.</param>
internal sealed record ClaimBarrier(Action Reached, Task<DesktopSpec> Claimed);
