using Oriel.Protocol.Display;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Page;
using Oriel.Streaming.Picture;

namespace Oriel.Streaming.Control;

/// <summary>
/// Checks every message of a page against bounds and the lease, and passes it on to the agent. Messages that are not understood are counted
/// and ignored.
/// </summary>
internal sealed class PageGate(FeedContext context, PendingRequests requests)
{
    private const int MinWidth = 160;
    private const int MaxWidth = 7680;
    private const int MinHeight = 120;
    private const int MaxHeight = 4320;

    public void OnPointer(Viewer viewer, PointerMessage pointer)
    {
        if (MayControl(viewer) && viewer.Input?.Pointer(pointer) == true)
        {
            viewer.LastPointerAt = context.Clock.GetTimestamp();
            context.Links.Used(context.Desktop);
        }
    }

    public void OnInput(Viewer viewer, PageMessage? message)
    {
        if (message is null || InputParser.Parse(message) is not { } input)
        {
            context.Metrics.BadMessages.Add(1);
            return;
        }

        // Releasing is always allowed: a viewer that has lost the lease must not leave a key down.
        if (!MayControl(viewer) && input.KindCase != InputEvent.KindOneofCase.ReleaseAll)
        {
            return;
        }

        if (input.KindCase is InputEvent.KindOneofCase.Button or InputEvent.KindOneofCase.Wheel)
        {
            viewer.LastPointerAt = context.Clock.GetTimestamp();
        }

        viewer.Input?.Add(input);
        context.Links.Used(context.Desktop);
    }

    /// <param name="clipboard">The viewer's clipboard text, when this message completed one.</param>
    public void OnControl(Viewer viewer, PageMessage? message, string? clipboard)
    {
        switch (message)
        {
            case { T: "ping", Id: { } id }:
                viewer.SendControl(ServerMessages.Write(new PongMessage(id), StreamingJsonContext.Default.PongMessage));
                break;
            case { T: "visible", Visible: { } visible }:
                viewer.Visible = visible;
                if (!visible)
                {
                    viewer.Input?.Add(new InputEvent { ReleaseAll = true });
                }

                break;
            case { T: "fps", Max: { } max } when InputParser.Number(max, 1, context.Options.MaxFps) is { } fps:
                viewer.MaxFps = fps;
                break;
            case { T: "resize", Width: { } width, Height: { } height }
                when InputParser.Number(width, 0, int.MaxValue) is { } w and >= MinWidth and <= MaxWidth
                    && InputParser.Number(height, 0, int.MaxValue) is { } h and >= MinHeight and <= MaxHeight:
                if (MayControl(viewer))
                {
                    requests.Resize(w, h);
                }

                break;
            case { T: "clipboard", Text: not null }:
                if (clipboard is not null && MayControl(viewer))
                {
                    requests.SetClipboard(clipboard, viewer, message.Id);
                }

                break;
            default:
                context.Metrics.BadMessages.Add(1);
                break;
        }
    }

    /// <summary>The only place that checks for a lease. In this version every viewer may type.</summary>
    private static bool MayControl(Viewer viewer) => viewer.Input is not null;
}
