using System.Net;

namespace Oriel.WebRtc.Peers;

/// <summary>What an endpoint listens on and how much it takes.</summary>
public sealed record WebRtcOptions
{
    /// <summary>
    /// UDP and, on the same number, TCP. An IPv6 any-address listens dual-stack. Port 0 chooses one. Default 127.0.0.1:0.
    /// </summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>
    /// Addresses offered as host candidates. Empty (default): the listen address, or this machine's own addresses when that is the
    /// any-address.
    /// </summary>
    public IReadOnlyList<IPAddress> PublicAddresses { get; init; } = [];

    /// <summary>The port that candidates name; 0 (default) is the port listened on. For a forwarded port.</summary>
    public int PublicPort { get; init; }

    /// <summary>Offer TCP candidates and listen for them (RFC 6544, passive). Default true.</summary>
    public bool Tcp { get; init; } = true;

    /// <summary>
    /// Offer UDP candidates. False answers with TCP candidates only, for tests and for networks that block UDP. Default true.
    /// </summary>
    public bool Udp { get; init; } = true;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Most peers at once; <see cref="WebRtcEndpoint.CreatePeer"/> throws beyond. Default 512.</summary>
    public int MaxPeers { get; init; } = 512;

    /// <summary>Most TCP connections that wait for their first valid check. Default 64.</summary>
    public int MaxPendingTcp { get; init; } = 64;

    /// <summary>Most of these from one address (IPv6: from one /64), so that nobody takes all of them. Default 16.</summary>
    public int MaxPendingTcpPerAddress { get; init; } = 16;

    /// <summary>Most DTLS handshakes at once; each holds a thread while it runs. Default 32.</summary>
    public int MaxHandshakes { get; init; } = 32;

    /// <summary>From creation to connected; then the peer closes with <see cref="CloseReason.ConnectTimeout"/>. Default 30 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Without a valid check for this long a path may no longer be sent on (RFC 7675 section 5.1). Default 30 s.</summary>
    public TimeSpan ConsentTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Without a check for this long the state is <see cref="PeerState.Disconnected"/>. Default 8 s: browsers check every 2.5 s.
    /// </summary>
    public TimeSpan DisconnectedAfter { get; init; } = TimeSpan.FromSeconds(8);
}
