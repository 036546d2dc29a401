using Oriel.WebRtc.Rtcp;

namespace Oriel.WebRtc.Video;

/// <summary>RTP parameters of the video section. Extension ids are 1 to 14 (one-byte headers), 0 when not negotiated.</summary>
internal sealed record VideoParameters
{
    public required VideoCodec Codec { get; init; }
    public required byte PayloadType { get; init; }

    /// <summary>Null without RTX; lost packets are then not sent again.</summary>
    public byte? RtxPayloadType { get; init; }
    public required string Mid { get; init; }

    /// <summary>The fmtp line's parameters, repeated in the answer.</summary>
    public string Format { get; init; } = "";
    public VideoExtensions Extensions { get; init; } = new();

    /// <summary>The peer may send RTCP that is no compound (RFC 5506); this side never does.</summary>
    public bool ReducedSize { get; init; }
    public bool Nack { get; init; }
    public bool Pli { get; init; }
    public bool Fir { get; init; }
    public bool Remb { get; init; }
    public bool TransportFeedback { get; init; }
}

internal readonly record struct VideoExtensions(int AbsoluteSendTime, int TransportSequence, int Mid, int PlayoutDelay)
{
    public const string AbsoluteSendTimeUri = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    public const string TransportSequenceUri = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    public const string MidUri = "urn:ietf:params:rtp-hdrext:sdes:mid";
    public const string PlayoutDelayUri = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

    public static VideoExtensions Offered { get; } = new(1, 2, 3, 4);

    public IEnumerable<(int Id, string Uri)> Lines()
    {
        (int Id, string Uri)[] all =
        [
            (AbsoluteSendTime, AbsoluteSendTimeUri),
            (TransportSequence, TransportSequenceUri),
            (Mid, MidUri),
            (PlayoutDelay, PlayoutDelayUri),
        ];
        return all.Where(line => line.Id != 0).OrderBy(line => line.Id);
    }
}
