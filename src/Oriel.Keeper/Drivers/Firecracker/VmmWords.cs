namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>
/// The last that a VMM said of itself: in its log, where only errors are, or on its console as long as its log has nothing. A line that
/// only repeats the exit code does not count. Thread-safe.
/// </summary>
internal sealed class VmmWords
{
    public const int MaxCharacters = 500;

    private volatile string? _printed;
    private volatile string? _logged;

    /// <summary>Null where it has said nothing.</summary>
    public string? Last => _logged ?? _printed;

    public void HearConsole(string line) => _printed = Heard(line) ?? _printed;

    public void HearLog(string line) => _logged = Heard(line) ?? _logged;

    private static string? Heard(string line)
    {
        var said = WithoutOrigin(line.Trim());
        return said.Length == 0 || said.StartsWith("Firecracker exiting ", StringComparison.Ordinal) ? null
            : said.Length > MaxCharacters ? said[..MaxCharacters]
            : said;
    }

    // "2026-11-28T10:00:00.123456789 [d-abcdefghij:main:ERROR] ", as the VMM's logger begins each line.
    private static string WithoutOrigin(string line)
    {
        var end = line.Length > 0 && char.IsAsciiDigit(line[0]) ? line.IndexOf("] ", StringComparison.Ordinal) : -1;
        return end < 0 ? line : line[(end + 2)..];
    }
}
