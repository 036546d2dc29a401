using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Peers;

/// <summary>What one peer is offered.</summary>
public sealed record PeerOptions
{
    /// <summary>By preference; the first one that the peer also takes is used. Default VP8, H.264.</summary>
    public IReadOnlyList<VideoCodec> Codecs { get; init; } = [VideoCodec.Vp8, VideoCodec.H264];

    /// <summary>Bits a second, before the first feedback. Default 4 Mbit/s.</summary>
    public int StartBitrate { get; init; } = 4_000_000;

    /// <summary>Bits a second, never asked for less. Default 150 kbit/s.</summary>
    public int MinBitrate { get; init; } = 150_000;

    /// <summary>Bits a second, never asked for more. Default 12 Mbit/s.</summary>
    public int MaxBitrate { get; init; } = 12_000_000;

    /// <summary>Between two <see cref="PeerConnection.KeyFrameRequested"/>. Default 500 ms.</summary>
    public TimeSpan KeyFrameInterval { get; init; } = TimeSpan.FromMilliseconds(500);
}
