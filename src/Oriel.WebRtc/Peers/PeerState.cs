namespace Oriel.WebRtc.Peers;

/// <summary>New → Connecting → Connected ↔ Disconnected; any → Closed, which is final.</summary>
public enum PeerState
{
    /// <summary>No remote description yet.</summary>
    New,

    /// <summary>ICE checks or the DTLS handshake are under way.</summary>
    Connecting,

    /// <summary>Media flows.</summary>
    Connected,

    /// <summary>No recent check. Recovers by itself or by an ICE restart, or ends in <see cref="CloseReason.ConsentExpired"/>.</summary>
    Disconnected,

    Closed,
}

public enum CloseReason
{
    /// <summary>This side disposed the peer.</summary>
    Local,

    /// <summary>The peer sent a DTLS close_notify.</summary>
    Remote,

    /// <summary>Not connected within <see cref="WebRtcOptions.ConnectTimeout"/>.</summary>
    ConnectTimeout,

    /// <summary>No path with consent is left (RFC 7675).</summary>
    ConsentExpired,

    /// <summary>The handshake failed, or the certificate was not the one in the SDP.</summary>
    DtlsFailed,

    /// <summary>The endpoint stopped.</summary>
    EndpointStopped,

    /// <summary>An internal fault; logged.</summary>
    Internal,
}
