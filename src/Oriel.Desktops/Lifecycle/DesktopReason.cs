using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>Why a desktop failed or was destroyed.</summary>
/// <param name="Code">One of <see cref="ReasonCodes"/>.</param>
/// <param name="Step">The step that was running, if one was.</param>
/// <param name="LastSeen">What was last observed of that step.</param>
/// <param name="Log">The last lines of the guest's console and the keeper.</param>
public sealed record DesktopReason(string Code, string? Step, string Message, string? LastSeen, IReadOnlyList<string> Log)
{
    // Guest and keeper have a part in all of these.

    public string Message { get; } = ForeignWords.Of(Message);

    public string? LastSeen { get; } = LastSeen is null ? null : ForeignWords.Of(LastSeen);

    public IReadOnlyList<string> Log
    {
        get;
        init => field = Lines(value);
    } = Lines(Log);

    public static DesktopReason Of(string code, string message) => new(code, null, message, null, []);

    private static IReadOnlyList<string> Lines(IReadOnlyList<string> log) => [.. log.Select(line => ForeignWords.Of(line))];

    /// <summary>Of an exception that nobody expected, or of a disk that is full.</summary>
    internal static DesktopReason OfFault(Exception fault, string what) =>
        Of(FaultReason.Of(fault, ReasonCodes.Internal), $"{what}: {fault.GetBaseException().Message}");
}
