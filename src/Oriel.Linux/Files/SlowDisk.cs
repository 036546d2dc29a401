namespace Oriel.Linux.Files;

/// <summary>The slowest disk that deadlines have patience with: a network's, or one that others keep busy.</summary>
public static class SlowDisk
{
    public const long BytesPerSecond = 10_000_000;

    /// <summary>How long it takes to read or write as much in one go.</summary>
    public static TimeSpan TimeFor(long bytes) => TimeSpan.FromSeconds((double)bytes / BytesPerSecond);
}
