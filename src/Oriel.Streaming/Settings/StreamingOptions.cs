using System.Net;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming.Settings;

/// <summary>Addresses, limits and bit rates of streaming.</summary>
public sealed record StreamingOptions
{
    /// <summary>The UDP and TCP address for all media; port 0 picks a free port. Default 127.0.0.1:4001.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 4001);

    /// <summary>Addresses in candidates; empty = the address listened on.</summary>
    public IReadOnlyList<IPAddress> PublicAddresses { get; init; } = [];

    /// <summary>The maximum number of viewers of one desktop. Default 16.</summary>
    public int MaxViewersPerDesktop { get; init; } = 16;

    /// <summary>The maximum number of WebRTC viewers of all desktops, connecting ones included. Default 512.</summary>
    public int MaxViewers { get; init; } = 512;

    /// <summary>The maximum frames per second requested from an encoder. Default 60.</summary>
    public int MaxFps { get; init; } = 60;

    /// <summary>
    /// In order of preference. Default H.264, VP8: OpenH264 takes less than half of VP8's time for similar quality (docs/decisions/0031).
    /// </summary>
    public IReadOnlyList<VideoCodec> Codecs { get; init; } = [VideoCodec.H264, VideoCodec.Vp8];

    /// <summary>Start, minimum and maximum for one encoder, in bits per second.</summary>
    public int StartBitrate { get; init; } = 3_000_000;

    public int MinBitrate { get; init; } = 150_000;

    public int MaxBitrate { get; init; } = 20_000_000;

    /// <summary>
    /// The least time between two key frame requests to one encoder. Default 500 ms: a key frame of text is 100 to 260 kB.
    /// </summary>
    public TimeSpan KeyFrameInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long an encoder is kept, paused, after its last viewer has left, so that a reload costs nothing. Default 5 s.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The first and longest pause between attempts to reach an agent whose link broke.</summary>
    public TimeSpan RetryMin { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The largest clipboard text in bytes of UTF-8, in either direction. Default 1 MiB.</summary>
    public int MaxClipboardBytes { get; init; } = 1024 * 1024;
}
