namespace Oriel.Desktops.Lifecycle;

/// <summary>Why a desktop failed or was destroyed.</summary>
/// <param name="Code">One of <see cref="ReasonCodes"/>.</param>
/// <param name="Step">The step that was running, if one was.</param>
/// <param name="LastSeen">What was last observed of that step.</param>
/// <param name="Log">The last lines of the guest's console and the keeper.</param>
public sealed record DesktopReason(string Code, string? Step, string Message, string? LastSeen, IReadOnlyList<string> Log)
{
    public static DesktopReason Of(string code, string message) => new(code, null, message, null, []);

    /// <summary>Of an exception that nobody expected, or of a disk that is full.</summary>
    internal static DesktopReason OfFault(Exception fault, string what) => Of(ReasonCodes.OfFault(fault, ReasonCodes.Internal), $"{what}: {fault.GetBaseException().Message}");
}

/// <summary>The closed set of reasons.</summary>
public static class ReasonCodes
{
    public const string Requested = "requested";
    public const string Expired = "expired";
    public const string Idle = "idle";
    public const string ServerRestarted = "server-restarted";
    public const string HostRestarted = "host-restarted";
    public const string ImageBroken = "image-broken";
    public const string KeeperNotStarted = "keeper-not-started";
    public const string KeeperDied = "keeper-died";
    public const string SessionDied = "session-died";
    public const string StepFailed = "step-failed";
    public const string StepDeadline = "step-deadline";
    public const string AgentUntrusted = "agent-untrusted";
    public const string AgentUnreachable = "agent-unreachable";
    public const string ConfigurationRefused = "configuration-refused";
    public const string FilesMismatch = "files-mismatch";
    public const string EnvironmentMismatch = "environment-mismatch";
    public const string CanaryFailed = "canary-failed";
    public const string DiskFull = "disk-full";
    public const string OutOfMemory = "oom";
    public const string Internal = "internal";

    private const int SqliteFull = 13;

    /// <summary><see cref="DiskFull"/> where that is what is meant, else <paramref name="code"/>.</summary>
    internal static string OfFault(Exception fault, string code) =>
        fault.GetBaseException() is Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: SqliteFull } ? DiskFull : OfWords(fault.Message, code);

    /// <summary>The same of what another process said; the words are the C library's for ENOSPC.</summary>
    internal static string OfWords(string? said, string code) => said?.Contains("No space left on device", StringComparison.Ordinal) == true ? DiskFull : code;
}
