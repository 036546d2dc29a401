using Oriel.Agents;
using Oriel.Protocol;

namespace Oriel.Streaming.Agents;

/// <summary>Whether a desktop can be streamed now.</summary>
public enum DesktopAvailability
{
    Ready,

    /// <summary>It exists but does not answer yet, or it is paused.</summary>
    NotReady,

    /// <summary>It failed or was destroyed.</summary>
    Gone,

    Unknown,
}

/// <summary>A state reported to viewers, in the API's words.</summary>
/// <param name="IsGone">There is nothing left to watch.</param>
public sealed record DesktopNotice(string State, string? ReasonCode, string? ReasonMessage, bool IsGone);

/// <summary>What streaming needs from the registry of desktops.</summary>
public interface IAgentLinks
{
    DesktopAvailability Look(DesktopId id);

    /// <summary>Called before somebody watches: resumes a paused desktop, and leaves others as they are.</summary>
    Task WakeAsync(DesktopId id, CancellationToken cancellationToken);

    /// <summary>The shared link to the desktop's agent, reopened if it broke. The caller must not dispose it.</summary>
    /// <exception cref="Exception">The agent cannot be reached now; <see cref="Look"/> says whether it is worth trying again.</exception>
    ValueTask<AgentConnection> ConnectAsync(DesktopId id, CancellationToken cancellationToken);

    /// <summary>The desktop's current state and each later one; ends when the desktop is gone.</summary>
    IAsyncEnumerable<DesktopNotice> WatchAsync(DesktopId id, CancellationToken cancellationToken);

    /// <summary>Somebody used the mouse or keyboard, which postpones the idle time-out. Cheap.</summary>
    void Used(DesktopId id);

    /// <summary>The screen has this size now.</summary>
    void Resized(DesktopId id, int width, int height);

    void ViewerJoined(DesktopId id);

    void ViewerLeft(DesktopId id);
}
