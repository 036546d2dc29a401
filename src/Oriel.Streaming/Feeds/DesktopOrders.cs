using Microsoft.Extensions.Logging;
using Oriel.Protocol.Display;
using Oriel.Streaming.Viewers;

namespace Oriel.Streaming.Feeds;

/// <summary>What viewers last wished of the desktop as a whole, applied by the owner loop: only the latest wish of a kind counts.</summary>
internal sealed class DesktopOrders(FeedContext context, WatchFeed watch, Action wake)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private (int Width, int Height)? _resize;
    private (string Text, Viewer By)? _clipboard;

    public void Resize(int width, int height)
    {
        lock (_gate)
        {
            _resize = (width, height);
        }

        wake();
    }

    public void SetClipboard(string text, Viewer by)
    {
        lock (_gate)
        {
            _clipboard = (text, by);
        }

        wake();
    }

    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        (int Width, int Height)? resize;
        (string Text, Viewer By)? clipboard;
        lock (_gate)
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
                    new ResizeRequest { Width = (uint)size.Width, Height = (uint)size.Height }, cancellationToken: deadline.Token);
            }

            if (clipboard is var (text, by))
            {
                watch.NoteClipboard(text, by);
                await agent.Display.SetClipboardAsync(new Clipboard { Text = text }, cancellationToken: deadline.Token);
            }
        }
#pragma warning disable CA1031 // The agent is away or refuses: the page sees that nothing changed, and the stream goes on.
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            context.Logger.LogDebug(fault, "{Desktop}: resize or clipboard failed.", context.Desktop);
        }
    }
}
