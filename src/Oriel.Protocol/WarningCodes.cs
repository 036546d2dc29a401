namespace Oriel.Protocol;

/// <summary>
/// What may be wrong with a desktop that still runs: the closed set, as the API, events, the page and docs/protocol.md have it.
/// </summary>
public static class WarningCodes
{
    /// <summary>The desktop's own disk is nearly full.</summary>
    public const string ScratchFull = "scratch-full";

    /// <summary>The server's disk is nearly full.</summary>
    public const string DiskFull = "disk-full";

    /// <summary>The desktop's machine is halted, since the server's disk does not take what it writes.</summary>
    public const string Halted = "halted";

    /// <summary>The kernel ended programs of the desktop, whose limit of memory was reached.</summary>
    public const string OutOfMemory = "oom";
}
