using Oriel.Desktops.Agents;
using Oriel.Protocol;

namespace Oriel.Streaming;

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

/// <summary>What streaming asks of the registry of desktops.</summary>
public interface IAgentLinks
{
    DesktopAvailability Look(DesktopId id);

    /// <summary>The shared link to the desktop's agent, opened again if it broke; not the caller's to dispose.</summary>
    /// <exception cref="Exception">The agent cannot be reached now; <see cref="Look"/> says whether it is worth trying again.</exception>
    ValueTask<AgentConnection> ConnectAsync(DesktopId id, CancellationToken cancellationToken);

    void ViewerJoined(DesktopId id);

    void ViewerLeft(DesktopId id);
}
