using System.Net;

namespace Oriel.WebRtc.Peers;

/// <summary>An endpoint's addresses and limits.</summary>
public sealed record WebRtcOptions
{
    /// <summary>
    /// The address for UDP, and for TCP on the same port number. The IPv6 any-address listens dual-stack. Port 0 picks a free port. Default
    /// 127.0.0.1:0.
    /// </summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>
    /// Addresses offered as host candidates. Empty (default): the listen address, or this machine's own addresses when that is the
    /// any-address.
    /// </summary>
    public IReadOnlyList<IPAddress> PublicAddresses { get; init; } = [];

    /// <summary>The port in candidates, for port forwarding; 0 (default) is the port listened on.</summary>
    public int PublicPort { get; init; }

    /// <summary>Offer TCP candidates and listen for them (RFC 6544, passive). Default true.</summary>
    public bool Tcp { get; init; } = true;

    /// <summary>
    /// Offer UDP candidates. If false, the answer has TCP candidates only, for tests and for networks that block UDP. Default true.
    /// </summary>
    public bool Udp { get; init; } = true;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The maximum number of peers; <see cref="WebRtcEndpoint.CreatePeer"/> throws beyond it. Default 512.</summary>
    public int MaxPeers { get; init; } = 512;

    /// <summary>The maximum number of TCP connections waiting for their first valid check. Default 64.</summary>
    public int MaxPendingTcp { get; init; } = 64;

    /// <summary>The same for one address (IPv6: one /64), so that nobody can take all of them. Default 16.</summary>
    public int MaxPendingTcpPerAddress { get; init; } = 16;

    /// <summary>The maximum number of concurrent DTLS handshakes; each holds a thread while it runs. Default 32.</summary>
    public int MaxHandshakes { get; init; } = 32;

    /// <summary>
    /// From creation to connected; after that, the peer closes with <see cref="CloseReason.ConnectTimeout"/>. Default 30 s.
    /// </summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A path without a valid check for this long may no longer be used for sending (RFC 7675 section 5.1). Default 30 s.
    /// </summary>
    public TimeSpan ConsentTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A peer without a check for this long is <see cref="PeerState.Disconnected"/>. Default 8 s: browsers check every 2.5 s.
    /// </summary>
    public TimeSpan DisconnectedAfter { get; init; } = TimeSpan.FromSeconds(8);
}
