namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>
/// The last that a VMM said of itself: on its console until it has a log, in its log from then on. Whichever came later counts; the line that
/// only repeats the exit code does not. Thread-safe.
/// </summary>
internal sealed class VmmWords
{
    public const int MaxCharacters = 500;

    private volatile string? _last;

    /// <summary>Null where it has said nothing.</summary>
    public string? Last => _last;

    /// <param name="line">Of its console or its log.</param>
    public void Hear(string line)
    {
        var said = WithoutOrigin(line.Trim());
        if (said.Length > 0 && !said.StartsWith("Firecracker exiting ", StringComparison.Ordinal))
        {
            _last = said.Length > MaxCharacters ? said[..MaxCharacters] : said;
        }
    }

    // "2026-11-28T10:00:00.123456789 [d-abcdefghij:main:ERROR] ", as the VMM's logger begins each line.
    private static string WithoutOrigin(string line)
    {
        var end = line.Length > 0 && char.IsAsciiDigit(line[0]) ? line.IndexOf("] ", StringComparison.Ordinal) : -1;
        return end < 0 ? line : line[(end + 2)..];
    }
}
