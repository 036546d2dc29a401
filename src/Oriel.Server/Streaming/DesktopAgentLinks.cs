using System.Runtime.CompilerServices;
using Oriel.Agents;
using Oriel.Desktops.Events;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Registry;
using Oriel.Protocol;
using Oriel.Streaming.Agents;

namespace Oriel.Server.Streaming;

/// <summary>Streaming's view of this node's desktops.</summary>
internal sealed class DesktopAgentLinks(DesktopService desktops) : IAgentLinks
{
    public DesktopAvailability Look(DesktopId id) =>
        desktops.TryGet(id, out var desktop) ? Of(desktop.View.State) : DesktopAvailability.Unknown;

    public Task WakeAsync(DesktopId id, CancellationToken cancellationToken) => desktops.WakeAsync(id, cancellationToken);

    public ValueTask<AgentConnection> ConnectAsync(DesktopId id, CancellationToken cancellationToken) =>
        desktops.ConnectAgentAsync(id, cancellationToken);

    public async IAsyncEnumerable<DesktopNotice> WatchAsync(DesktopId id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!desktops.TryGet(id, out var desktop))
        {
            yield break;
        }

        var after = desktop.Events.NextSequence - 1;
        var view = desktop.View;
        yield return Notice(view.State, view.Reason);
        await foreach (var change in desktop.Events.ReadAsync(after, cancellationToken))
        {
            if (change.Data is StateEvent state)
            {
                yield return Notice(state.State, state.Reason);
            }
        }
    }

    public void Used(DesktopId id)
    {
        if (desktops.TryGet(id, out var desktop))
        {
            desktop.Touch();
        }
    }

    public void Resized(DesktopId id, int width, int height)
    {
        if (desktops.TryGet(id, out var desktop))
        {
            desktop.Resized(width, height);
        }
    }

    public void ViewerJoined(DesktopId id) => desktops.ViewerJoined(id);

    public void ViewerLeft(DesktopId id) => desktops.ViewerLeft(id);

    private static DesktopNotice Notice(DesktopState state, DesktopReason? reason) =>
        new(state.Name(), reason?.Code, reason?.Message, Of(state) == DesktopAvailability.Gone);

    private static DesktopAvailability Of(DesktopState state) =>
        state switch
        {
            DesktopState.Ready => DesktopAvailability.Ready,
            DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed => DesktopAvailability.Gone,
            _ => DesktopAvailability.NotReady,
        };
}
