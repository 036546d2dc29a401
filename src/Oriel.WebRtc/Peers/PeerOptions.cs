using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Peers;

/// <summary>Codecs and bit rates of one peer.</summary>
public sealed record PeerOptions
{
    /// <summary>In order of preference; the first one the peer also accepts is used. Default VP8, H.264.</summary>
    public IReadOnlyList<VideoCodec> Codecs { get; init; } = [VideoCodec.Vp8, VideoCodec.H264];

    /// <summary>The target before the first feedback, in bits per second. Default 4 Mbit/s.</summary>
    public int StartBitrate { get; init; } = 4_000_000;

    /// <summary>The lowest target, in bits per second. Default 150 kbit/s.</summary>
    public int MinBitrate { get; init; } = 150_000;

    /// <summary>The highest target, in bits per second. Default 12 Mbit/s.</summary>
    public int MaxBitrate { get; init; } = 12_000_000;

    /// <summary>The least time between two <see cref="PeerConnection.KeyFrameRequested"/> events. Default 500 ms.</summary>
    public TimeSpan KeyFrameInterval { get; init; } = TimeSpan.FromMilliseconds(500);
}
