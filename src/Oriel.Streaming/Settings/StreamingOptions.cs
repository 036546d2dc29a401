using System.Net;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming.Settings;

/// <summary>Where media is served and how much.</summary>
public sealed record StreamingOptions
{
    /// <summary>UDP and TCP for all media; port 0 takes any. Default 127.0.0.1:4001.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 4001);

    /// <summary>Addresses that candidates name; empty = the address listened on.</summary>
    public IReadOnlyList<IPAddress> PublicAddresses { get; init; } = [];

    /// <summary>Viewers of one desktop at once. Default 16.</summary>
    public int MaxViewersPerDesktop { get; init; } = 16;

    /// <summary>Viewers by WebRTC of all desktops at once, those that are still connecting included. Default 512.</summary>
    public int MaxViewers { get; init; } = 512;

    /// <summary>Most frames a second that are asked of an encoder. Default 60.</summary>
    public int MaxFps { get; init; } = 60;

    /// <summary>
    /// By preference. Default H.264, VP8: OpenH264 needs less than half of VP8's time for like quality (docs/decisions/0031).
    /// </summary>
    public IReadOnlyList<VideoCodec> Codecs { get; init; } = [VideoCodec.H264, VideoCodec.Vp8];

    /// <summary>Bits a second, all for one encoder.</summary>
    public int StartBitrate { get; init; } = 6_000_000;

    public int MinBitrate { get; init; } = 150_000;

    public int MaxBitrate { get; init; } = 20_000_000;

    /// <summary>Least time between two key frames asked of one encoder. Default 500 ms: a key frame of text is 100 to 260 kB.</summary>
    public TimeSpan KeyFrameInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long an encoder goes on without a viewer, so that a reload costs nothing. Default 5 s.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>First and longest pause between two tries to reach an agent whose link broke.</summary>
    public TimeSpan RetryMin { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Largest clipboard text in bytes of UTF-8, either way. Default 1 MiB.</summary>
    public int MaxClipboardBytes { get; init; } = 1024 * 1024;
}
