namespace Oriel.Desktops.Lifecycle;

/// <summary>Something that a person should know of a desktop that goes on, and can mend. It goes away with its cause.</summary>
/// <param name="Code">One of <see cref="WarningCodes"/>; a desktop has each at most once.</param>
/// <param name="Message">What is the matter, and what to do.</param>
public sealed record DesktopWarning(string Code, string Message, DateTimeOffset Since);

/// <summary>The closed set of warnings.</summary>
public static class WarningCodes
{
    /// <summary>The desktop's own disk is nearly full.</summary>
    public const string ScratchFull = "scratch-full";

    /// <summary>The server's disk is nearly full.</summary>
    public const string DiskFull = "disk-full";

    /// <summary>The desktop's machine stands still, since the server's disk does not take what it writes.</summary>
    public const string Halted = "halted";

    /// <summary>The kernel ended programs of the desktop, whose limit of memory was reached.</summary>
    public const string OutOfMemory = "oom";
}
