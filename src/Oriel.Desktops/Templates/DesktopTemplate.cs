using Oriel.Egress.Policy;

namespace Oriel.Desktops.Templates;

/// <summary>Image, size and policies that a new desktop starts from.</summary>
/// <param name="Ttl">From creation; null = for ever.</param>
/// <param name="NeedsVm">A desktop of it has a kernel of its own, or is refused.</param>
/// <param name="IdleTimeout">Without viewers and requests; null = never.</param>
/// <param name="IdlePause">Paused after so long without viewers and requests, until the next one; null = never.</param>
/// <param name="Warm">How many desktops wait for their claim, booted; each holds the memory of an idle desktop.</param>
public sealed record DesktopTemplate(
    string Name,
    string Image,
    int Width,
    int Height,
    EgressPolicy Egress,
    DesktopLimits Limits,
    TimeSpan? Ttl = null,
    TimeSpan? IdleTimeout = null,
    TimeSpan? IdlePause = null,
    int Warm = 0,
    bool NeedsVm = false
)
{
    public const string DefaultName = "default";

    /// <summary>What a screen, and a time to live or an idle time-out in seconds, may be.</summary>
    public const int MinWidth = 320,
        MaxWidth = 3840,
        MinHeight = 240,
        MaxHeight = 2160,
        MaxSeconds = 30 * 24 * 3600,
        MaxWarm = 32;

    public static DesktopTemplate Default { get; } =
        new(DefaultName, "desktop", 1280, 720, EgressPolicy.Internet, new DesktopLimits(3L << 30, 2, 4096));
}

/// <summary>Held by cgroups where they are delegated; a virtual machine has the memory and the processors of its limits.</summary>
/// <param name="MemoryBytes">0 = none.</param>
/// <param name="Cpus">Cores; 0 = none.</param>
/// <param name="Pids">0 = none.</param>
/// <param name="DiskBytes">Most that the desktop's own disk holds; 0 = the driver's default, 8 GiB. A container has no disk of its own, and
/// no limit.</param>
public sealed record DesktopLimits(long MemoryBytes, double Cpus, long Pids, long DiskBytes = 0);
