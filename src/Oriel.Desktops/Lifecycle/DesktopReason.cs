namespace Oriel.Desktops.Lifecycle;

/// <summary>Why a desktop failed or was destroyed.</summary>
/// <param name="Code">One of <see cref="ReasonCodes"/>.</param>
/// <param name="Step">The step that was running, if one was.</param>
/// <param name="LastSeen">What was last observed of that step.</param>
/// <param name="Log">The last lines of the guest's console and the keeper.</param>
public sealed record DesktopReason(string Code, string? Step, string Message, string? LastSeen, IReadOnlyList<string> Log)
{
    public static DesktopReason Of(string code, string message) => new(code, null, message, null, []);
}

/// <summary>The closed set of reasons.</summary>
public static class ReasonCodes
{
    public const string Requested = "requested";
    public const string Expired = "expired";
    public const string Idle = "idle";
    public const string ServerRestarted = "server-restarted";
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
    public const string Internal = "internal";
}
