using Oriel.Agents;
using Oriel.Protocol;

namespace Oriel.Streaming.Agents;

/// <summary>Whether a desktop can be streamed now.</summary>
public enum DesktopAvailability
{
    Ready,

    /// <summary>It lives but does not answer yet, or is paused.</summary>
    NotReady,

    /// <summary>It failed or was destroyed.</summary>
    Gone,

    Unknown,
}

/// <summary>A state that viewers are told of, in the API's words.</summary>
/// <param name="IsGone">Nothing can be watched any more.</param>
public sealed record DesktopNotice(string State, string? ReasonCode, string? ReasonMessage, bool IsGone);

/// <summary>What streaming asks of the registry of desktops.</summary>
public interface IAgentLinks
{
    DesktopAvailability Look(DesktopId id);

    /// <summary>Somebody is about to watch: a paused desktop goes on; others stay as they are.</summary>
    Task WakeAsync(DesktopId id, CancellationToken cancellationToken);

    /// <summary>The shared link to the desktop's agent, opened again if it broke; not the caller's to dispose.</summary>
    /// <exception cref="Exception">The agent cannot be reached now; <see cref="Look"/> says whether it is worth trying again.</exception>
    ValueTask<AgentConnection> ConnectAsync(DesktopId id, CancellationToken cancellationToken);

    /// <summary>The desktop's state now and each later one; ends when the desktop is gone.</summary>
    IAsyncEnumerable<DesktopNotice> WatchAsync(DesktopId id, CancellationToken cancellationToken);

    /// <summary>Somebody used mouse or keyboard; holds off an idle time-out. Cheap.</summary>
    void Used(DesktopId id);

    /// <summary>The screen has this size now.</summary>
    void Resized(DesktopId id, int width, int height);

    void ViewerJoined(DesktopId id);

    void ViewerLeft(DesktopId id);
}
