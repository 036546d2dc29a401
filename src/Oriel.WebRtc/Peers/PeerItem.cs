using System.Net;
using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Sdp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Peers;

/// <summary>One work item for a peer's loop.</summary>
internal readonly struct PeerItem
{
    public required PeerItemKind Kind { get; init; }

    /// <summary>A pooled copy of a packet; the loop returns it to the pool.</summary>
    public byte[]? Buffer { get; init; }
    public int Length { get; init; }
    public PacketKind Packet { get; init; }
    public IcePath? Path { get; init; }

    /// <summary>The address a check came from when its path is not known yet.</summary>
    public SocketAddress? From { get; init; }
    public EncodedVideo Frame { get; init; }
    public DtlsOutcome? Dtls { get; init; }
    public Negotiated? Negotiated { get; init; }
    public CloseReason Reason { get; init; }
}

internal enum PeerItemKind : byte
{
    Tick,
    Packet,
    PathClosed,
    Frame,
    DtlsDone,
    Negotiated,
    Close,
}
