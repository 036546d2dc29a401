using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>Something that a person should know of a desktop that goes on, and can mend. It goes away with its cause.</summary>
/// <param name="Code">One of <see cref="WarningCodes"/>; a desktop has each at most once.</param>
/// <param name="Message">What is the matter, and what to do.</param>
public sealed record DesktopWarning(string Code, string Message, DateTimeOffset Since);
