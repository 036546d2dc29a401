using Microsoft.Extensions.Logging;
using Oriel.Protocol.Display;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Page;
using Oriel.Streaming.Picture;

namespace Oriel.Streaming.Control;

/// <summary>Viewers' requests to the desktop as a whole, until the owner loop applies them. Only the latest of each kind counts.</summary>
internal sealed class PendingRequests(FeedContext context, WatchFeed watch, Action wake)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private (int Width, int Height)? _resize;
    private ClipboardRequest? _clipboard;

    public void Resize(int width, int height)
    {
        lock (_lock)
        {
            _resize = (width, height);
        }

        wake();
    }

    /// <param name="id">Answered by a pong once the guest's programs can paste the text; null if the page does not wait for that.</param>
    public void SetClipboard(string text, Viewer by, long? id)
    {
        lock (_lock)
        {
            _clipboard = new ClipboardRequest(text, by, id);
        }

        wake();
    }

    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        (int Width, int Height)? resize;
        ClipboardRequest? clipboard;
        lock (_lock)
        {
            (resize, clipboard) = (_resize, _clipboard);
            (_resize, _clipboard) = (null, null);
        }

        if (resize is null && clipboard is null)
        {
            return;
        }

        try
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            deadline.CancelAfter(Deadline);
            var agent = await context.Links.ConnectAsync(context.Desktop, deadline.Token);
            if (resize is { } size && size != watch.Size)
            {
                await agent.Display.ResizeAsync(
                    new ResizeRequest { Width = (uint)size.Width, Height = (uint)size.Height },
                    cancellationToken: deadline.Token
                );
            }

            if (clipboard is var (text, by, id))
            {
                watch.NoteClipboard(text, by);
                await agent.Display.SetClipboardAsync(new Clipboard { Text = text }, cancellationToken: deadline.Token);
                if (id is { } asked)
                {
                    by.SendControl(ServerMessages.Write(new PongMessage(asked), StreamingJsonContext.Default.PongMessage));
                }
            }
        }
        // The agent is unreachable or refuses: the page sees that nothing changed, and the stream continues.
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            context.Logger.LogDebug(e, "{Desktop}: resize or clipboard failed.", context.Desktop);
        }
    }

    private sealed record ClipboardRequest(string Text, Viewer By, long? Id);
}
