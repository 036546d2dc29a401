using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol.Display;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Page;

namespace Oriel.Streaming.Picture;

/// <summary>A desktop's Watch call: cursor, clipboard and size for all its viewers, and the current values for a new one.</summary>
internal sealed class WatchFeed : IAsyncDisposable
{
    /// <summary>A pointer position this soon after a viewer's own movement is an echo of that movement.</summary>
    private static readonly TimeSpan OwnMovement = TimeSpan.FromMilliseconds(400);

    /// <summary>
    /// Limits for a cursor's side, in pixels, and its image, which is queued for each viewer. X programs use smaller ones.
    /// </summary>
    private const int MaxCursorSide = 512,
        MaxCursorBytes = 256 * 1024;

    /// <summary>Limit for a screen's side, in pixels: more than can be asked for.</summary>
    private const int MaxSide = 16384;

    private readonly FeedContext _context;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;
    private volatile Viewer[] _viewers = [];
    private volatile ScreenSize? _size;
    private volatile byte[]? _cursor;
    private volatile string? _clipboard;

    public WatchFeed(FeedContext context)
    {
        _context = context;
        _run = Task.Run(() => FeedCall.RunAsync(context, "Watch", ReadAsync, _stop.Token));
    }

    public (int Width, int Height) Size => _size is { } size ? ((int)size.Width, (int)size.Height) : (0, 0);

    public void SetViewers(Viewer[] viewers) => _viewers = viewers;

    /// <summary>Sends the current values to a viewer whose control channel has just opened.</summary>
    public void Greet(Viewer viewer)
    {
        if (_size is { } size)
        {
            viewer.SendNewest(
                ControlSlot.Size,
                [ServerMessages.Write(new SizeMessage(size.Width, size.Height), StreamingJsonContext.Default.SizeMessage)]
            );
        }

        if (_cursor is { } cursor)
        {
            viewer.SendNewest(ControlSlot.Cursor, [cursor]);
        }

        if (_clipboard is { Length: > 0 } clipboard)
        {
            SendClipboard(viewer, clipboard);
        }
    }

    /// <summary>A viewer has set this text: the others get it; the agent reports what programs of the guest copy only.</summary>
    public void NoteClipboard(string text, Viewer by)
    {
        _clipboard = text;
        foreach (var viewer in _viewers)
        {
            if (viewer != by)
            {
                SendClipboard(viewer, text);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private async Task ReadAsync(AgentConnection agent, Action works, CancellationToken cancellationToken)
    {
        using var call = agent.Display.Watch(new WatchRequest(), cancellationToken: cancellationToken);
        await foreach (var change in call.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            works();
            Tell(change);
        }
    }

    private void Tell(DisplayEvent change)
    {
        switch (change.KindCase)
        {
            case DisplayEvent.KindOneofCase.Cursor when IsCursor(change.Cursor):
                var cursor = change.Cursor;
                _cursor = ServerMessages.Write(
                    new CursorMessage(cursor.Serial, cursor.Width, cursor.Height, cursor.HotX, cursor.HotY, cursor.Png.Memory),
                    StreamingJsonContext.Default.CursorMessage
                );
                SendAll(ControlSlot.Cursor, _cursor);
                break;
            case DisplayEvent.KindOneofCase.Size when change.Size is { Width: > 0 and <= MaxSide, Height: > 0 and <= MaxSide }:
                _size = change.Size;
                _context.Links.Resized(_context.Desktop, (int)change.Size.Width, (int)change.Size.Height);
                SendAll(
                    ControlSlot.Size,
                    ServerMessages.Write(new SizeMessage(change.Size.Width, change.Size.Height), StreamingJsonContext.Default.SizeMessage)
                );
                break;
            case DisplayEvent.KindOneofCase.Position:
                var position = ServerMessages.Write(
                    new PositionMessage(change.Position.X, change.Position.Y),
                    StreamingJsonContext.Default.PositionMessage
                );
                foreach (var viewer in _viewers)
                {
                    if (viewer.LastPointerAt == 0 || _context.Clock.GetElapsedTime(viewer.LastPointerAt) > OwnMovement)
                    {
                        viewer.SendNewest(ControlSlot.Position, [position]);
                    }
                }

                break;
            case DisplayEvent.KindOneofCase.Clipboard:
                TellClipboard(change.Clipboard);
                break;
        }
    }

    private static bool IsCursor(Cursor cursor) =>
        cursor is { Width: <= MaxCursorSide, Height: <= MaxCursorSide, HotX: <= MaxCursorSide, HotY: <= MaxCursorSide }
        && cursor.Png.Length <= MaxCursorBytes;

    private void TellClipboard(Clipboard copied)
    {
        var text = copied.Text;
        if (copied.TooLong || System.Text.Encoding.UTF8.GetByteCount(text) > _context.Options.MaxClipboardBytes)
        {
            SendAll(
                ControlSlot.Clipboard,
                ServerMessages.Write(new ClipboardTooLongMessage(), StreamingJsonContext.Default.ClipboardTooLongMessage)
            );
            return;
        }

        _clipboard = text;
        foreach (var viewer in _viewers)
        {
            SendClipboard(viewer, text);
        }
    }

    private static void SendClipboard(Viewer viewer, string text) =>
        viewer.SendNewest(ControlSlot.Clipboard, [.. ServerMessages.Clipboard(text)]);

    private void SendAll(ControlSlot slot, byte[] message)
    {
        foreach (var viewer in _viewers)
        {
            viewer.SendNewest(slot, [message]);
        }
    }
}
