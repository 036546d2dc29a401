using Oriel.Protocol.Display;
using Oriel.Streaming.Settings;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Sctp;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming.Picture;

/// <summary>A page connected over WebRTC.</summary>
internal sealed class PeerViewer : Viewer
{
    private readonly PeerConnection _peer;
    private volatile DataChannel? _control;
    private volatile bool _behind;

    public PeerViewer(PeerConnection peer, StreamingOptions options)
        : base(peer.Id, peer.Codec == VideoCodec.H264 ? Codec.H264 : Codec.Vp8, options.StartBitrate, options.MaxFps)
    {
        _peer = peer;
        peer.KeyFrameRequested += WantKeyFrame;
        peer.TargetBitrateChanged += bitrate => TargetBitrate = bitrate;
        peer.BacklogChanged += isLong =>
        {
            _behind = isLong;
            NotifyChanged();
        };
        peer.StateChanged += state =>
        {
            NotifyChanged();
            // Frames sent before there was a path are lost, and no more come while the screen is still.
            if (state == PeerState.Connected)
            {
                WantKeyFrame();
            }
        };
    }

    public override bool IsLive => _peer.State == PeerState.Connected;

    public override bool IsAway => _peer.State is PeerState.Disconnected or PeerState.Closed;

    public override bool IsBehind => _behind;

    /// <summary>The page has opened its control channel.</summary>
    public void UseControl(DataChannel channel) => _control = channel;

    public override void SendControl(ReadOnlyMemory<byte> message) => _control?.TrySend(message.Span, text: true);

    public override ValueTask CloseAsync() => _peer.DisposeAsync();

    protected override bool TrySendFrame(in EncodedVideo frame, long captureUs)
    {
        // The peer itself drops what the path cannot carry, and then asks for a key frame.
        _peer.SendFrame(frame);
        return true;
    }
}
