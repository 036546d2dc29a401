namespace Oriel.Linux.Machine;

/// <summary>Where this host puts memory that does not fit.</summary>
public static class SwapSpace
{
    /// <param name="table">The kernel's, of proc(5): a line of titles, then one for each.</param>
    /// <returns>True also where it cannot be known.</returns>
    public static bool IsThere(string table = "/proc/swaps")
    {
        try
        {
            return File.ReadLines(table).Skip(1).Any(line => !string.IsNullOrWhiteSpace(line));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }
}
