using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Oriel.WebRtc.Sctp;

/// <summary>
/// Bounds and times of one association. Retries, heartbeat and cookie lifetime follow RFC 9260 section 16. The retransmission time-outs and
/// the acknowledgement delay are shorter than its values.
/// </summary>
internal sealed record SctpOptions
{
    /// <summary>The DTLS client opens channels with even ids, the DTLS server with odd ones (RFC 8832 section 6).</summary>
    public bool IsDtlsClient { get; init; }

    /// <summary>SCTP port, only a label inside the DTLS association (a=sctp-port).</summary>
    public ushort LocalPort { get; init; } = 5000;

    public ushort RemotePort { get; init; } = 5000;

    /// <summary>Largest SCTP packet in bytes. 1191 leaves room for DTLS, UDP and IPv6 in 1280 (RFC 8261 section 5).</summary>
    public int MaxPacketSize { get; init; } = 1191;

    /// <summary>Largest message in bytes that is accepted (a=max-message-size); a larger one ends the association.</summary>
    public int MaxMessageSize { get; init; } = 256 * 1024;

    /// <summary>Largest message in bytes that the peer accepts.</summary>
    public int RemoteMaxMessageSize { get; init; } = 256 * 1024;

    /// <summary>Bytes held for reassembly and reordering; advertised as the receiver window.</summary>
    public int ReceiveBuffer { get; init; } = 1024 * 1024;

    /// <summary>Bytes queued and in flight on all channels together; TrySend refuses more.</summary>
    public int SendBuffer { get; init; } = 2 * 1024 * 1024;

    /// <summary>Streams offered in each direction; ids at or above are refused.</summary>
    public ushort MaxStreams { get; init; } = 1024;

    /// <summary>Open data channels; further DATA_CHANNEL_OPEN messages are answered by a stream reset.</summary>
    public int MaxChannels { get; init; } = 64;

    public TimeSpan RtoInitial { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Above a peer's delayed acknowledgement of 200 ms.</summary>
    public TimeSpan RtoMin { get; init; } = TimeSpan.FromMilliseconds(300);

    public TimeSpan RtoMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Consecutive unanswered retransmissions after which the association has failed.</summary>
    public int MaxRetransmissions { get; init; } = 10;

    public int MaxInitRetransmissions { get; init; } = 8;

    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan CookieLifetime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the acknowledgement of a single packet may wait; every second packet is acknowledged immediately.</summary>
    public TimeSpan DelayedAck { get; init; } = TimeSpan.FromMilliseconds(100);

    public ILogger Logger { get; init; } = NullLogger.Instance;
}
