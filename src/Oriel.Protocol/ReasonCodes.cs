namespace Oriel.Protocol;

/// <summary>Why a desktop failed or was destroyed: the closed set, as the API, events, the page and docs/protocol.md have it.</summary>
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

    // Those that a keeper gives with its last event, beside OutOfMemory.

    public const string GuestExited = "guest-exited";
    public const string GuestKilled = "guest-killed";
    public const string StartFailed = "start-failed";
    public const string Stopped = "stopped";
}
