using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Peers;

/// <summary>A snapshot of one peer's counters.</summary>
public sealed record PeerStats
{
    public required PeerState State { get; init; }
    public VideoCodec? Codec { get; init; }

    /// <summary>"udp", "tcp" or null before a path is chosen.</summary>
    public string? Transport { get; init; }

    /// <summary>The peer's address on the chosen path.</summary>
    public string? RemoteAddress { get; init; }

    /// <summary>"AEAD_AES_128_GCM" or "AES_CM_128_HMAC_SHA1_80".</summary>
    public string? SrtpProfile { get; init; }
    public long FramesSent { get; init; }

    /// <summary>Frames not sent: no path, waiting for a key frame, or the queue was over its bound.</summary>
    public long FramesDropped { get; init; }
    public long PacketsSent { get; init; }
    public long BytesSent { get; init; }
    public long PacketsResent { get; init; }

    /// <summary>Packets sent a second time without a request, because the path is lossy.</summary>
    public long PacketsRepeated { get; init; }
    public long NacksReceived { get; init; }
    public long ResendsRefused { get; init; }
    public long KeyFramesAsked { get; init; }

    /// <summary>Bits per second.</summary>
    public int TargetBitrate { get; init; }

    /// <summary>The peer's own estimate (goog-remb), in bits per second; 0 when it sends none.</summary>
    public long RembBitrate { get; init; }

    /// <summary>From RTCP reports or feedback; zero before the first.</summary>
    public TimeSpan RoundTrip { get; init; }

    /// <summary>0 to 1, from the last report.</summary>
    public double Loss { get; init; }

    /// <summary>Waiting in the pacer.</summary>
    public int QueuedBytes { get; init; }
    public long PacketsReceived { get; init; }
    public long BytesReceived { get; init; }
}
