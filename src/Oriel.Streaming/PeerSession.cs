using Microsoft.Extensions.Logging;
using Oriel.Protocol;
using Oriel.Streaming.Page;
using Oriel.Streaming.Picture;
using Oriel.Streaming.Settings;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Sctp;

namespace Oriel.Streaming;

/// <summary>One page's connection, from its offer to its end. Routes its data channels to the desktop's stream.</summary>
/// <param name="number">Rises from session to session.</param>
internal sealed class PeerSession(DesktopId desktop, PeerConnection peer, long number, StreamingOptions options, ILogger logger)
{
    private readonly ClipboardPieces _clipboard = new(options.MaxClipboardBytes);
    private int _generation;

    public DesktopId Desktop { get; } = desktop;

    public PeerConnection Peer { get; } = peer;

    public long Number { get; } = number;

    public PeerViewer? Viewer { get; private set; }

    public DesktopStream? Stream { get; private set; }

    /// <summary>Completes when the session has ended and released everything.</summary>
    public Task Ended { get; set; } = Task.CompletedTask;

    /// <summary>Changes with each ICE restart (RFC 9725 section 4.3.1).</summary>
    public string ETag => $"\"{Peer.Id}-{Volatile.Read(ref _generation)}\"";

    /// <summary>Held while the ICE session is looked at and changed.</summary>
    public Lock Patching { get; } = new();

    public void NextGeneration() => Interlocked.Increment(ref _generation);

    /// <summary>Joins the desktop's stream; called once the codec is known.</summary>
    public void Join(Func<DesktopStream> stream)
    {
        Viewer = new PeerViewer(Peer, options);
        do
        {
            Stream = stream();
        } while (!Stream.TryJoin(Viewer));
        Peer.DataChannelOpened += OnChannel;
    }

    public async Task LeaveAsync()
    {
        if (Stream is { } stream && Viewer is { } viewer)
        {
            await stream.LeaveAsync(viewer);
        }
    }

    private void OnChannel(DataChannel channel)
    {
        if (Stream is not { } stream || Viewer is not { } viewer)
        {
            return;
        }

        switch (channel.Label)
        {
            case "pointer":
                channel.MessageReceived += (data, _) =>
                {
                    if (PointerMessage.TryParse(data.Span, out var pointer))
                    {
                        stream.Gate.OnPointer(viewer, pointer);
                    }
                };
                break;
            case "input":
                channel.MessageReceived += (data, _) => stream.Gate.OnInput(viewer, PageMessage.Parse(data.Span));
                break;
            case "control":
                viewer.UseControl(channel);
                channel.MessageReceived += (data, _) => OnControl(stream, viewer, PageMessage.Parse(data.Span));
                stream.Greet(viewer);
                break;
            default:
                logger.LogDebug("A page opened a data channel with an unknown label; closed.");
                channel.Close();
                break;
        }
    }

    private void OnControl(DesktopStream stream, PeerViewer viewer, PageMessage? message)
    {
        var clipboard = message is { T: "clipboard", Text: { } piece } ? _clipboard.Add(piece, message.More == true) : null;
        stream.Gate.OnControl(viewer, message, clipboard);
    }
}
