namespace Oriel.Linux.Files;

/// <summary>The slowest disk that deadlines have patience with: a network's, or one that others keep busy.</summary>
public static class SlowDisk
{
    public const long BytesPerSecond = 10_000_000;

    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>How long it takes to read or write as much in one go; a day at most, as timers do not take any number.</summary>
    public static TimeSpan TimeFor(long bytes) =>
        bytes / BytesPerSecond >= Longest.TotalSeconds ? Longest : TimeSpan.FromSeconds((double)bytes / BytesPerSecond);
}
