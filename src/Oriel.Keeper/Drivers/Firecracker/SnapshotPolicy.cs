using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Linux.Files;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>
/// How one machine's memory is written by its VMM: where it may be, as what, and for how long. Reasons: docs/decisions/0052-firecracker.md.
/// </summary>
/// <param name="memoryBytes">Of the guest.</param>
/// <param name="isBooted">Its memory is the VMM's own, not a file's that it was restored from.</param>
/// <param name="isLimited">What the VMM writes to a file system in memory counts towards a limit that the machine is ended at.</param>
/// <param name="canSwap">Whether a page of the machine's may be in swap now.</param>
/// <param name="timeScale">How many times as long as on hardware it may take.</param>
internal sealed class SnapshotPolicy(
    long memoryBytes,
    bool isBooted,
    bool isLimited,
    FirecrackerCapabilities capabilities,
    Func<bool> canSwap,
    double timeScale
)
{
    /// <summary>A machine of the least memory, on a host that has much to do.</summary>
    private static readonly TimeSpan LeastDeadline = TimeSpan.FromSeconds(30);

    private bool _isFirst = true;

    public TimeSpan Deadline => DeadlineOf(memoryBytes, timeScale);

    /// <summary>The VMM writes all of the memory, and waits until the disk has it.</summary>
    public static TimeSpan DeadlineOf(long memoryBytes, double timeScale) =>
        (LeastDeadline + SlowDisk.TimeFor(memoryBytes)) * Math.Max(1, timeScale);

    /// <exception cref="IOException">Nothing may be written there; says why and what to do.</exception>
    public void Admit(string directory, FileSystemType type)
    {
        if (isLimited && type.IsMemory)
        {
            throw new IOException(
                $"{directory} is on a file system in memory: the {memoryBytes >> 20} MiB that Firecracker writes there would count as the desktop's own memory, and end it at its limit. Take a data directory on a disk (--data)."
            );
        }
    }

    /// <summary>
    /// What to ask for next. Of the first one of a machine that was booted, the VMM writes what is in memory alone: what never was is a
    /// hole, and zeros as it is in the guest. A page in swap would be a hole as well, and one of a restored machine is its file's. A whole
    /// one reads every page, so that nothing is spared after it.
    /// </summary>
    public SnapshotType Next()
    {
        var type = _isFirst && isBooted && capabilities.SparseFirstSnapshot && !canSwap() ? SnapshotType.Diff : SnapshotType.Full;
        _isFirst = false;
        return type;
    }
}
