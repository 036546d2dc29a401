using System.Collections.Concurrent;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;

namespace Oriel.WebRtc.Peers;

/// <summary>One UDP socket and one TCP listener on the same port number, shared by all peers.</summary>
public sealed class WebRtcEndpoint : IPeerDirectory, IAsyncDisposable
{
    // Another program may hold the TCP port with the number that UDP got.
    private const int PortAttempts = 20;

    private readonly ConcurrentDictionary<string, PeerConnection> _byUfrag = new();
    private readonly ConcurrentDictionary<PeerConnection, bool> _peers = new();
    private readonly ILogger _logger;
    private readonly TcpTransport? _tcp;
    private int _handshakes;
    private volatile bool _stopped;

    private WebRtcEndpoint(WebRtcOptions options, Socket? udp, Socket? tcp, ILogger logger)
    {
        Options = options;
        _logger = logger;
        Clock = new PeerClock(options.Clock);
        Certificate = DtlsCertificate.Create(options.Clock.GetUtcNow());
        Port = ((IPEndPoint)(udp ?? tcp)!.LocalEndPoint!).Port;
        Udp = udp is null ? null : new UdpTransport(udp, this, logger);
        _tcp = tcp is null
            ? null
            : new TcpTransport(tcp, this, new PendingTcp(options.MaxPendingTcp, options.MaxPendingTcpPerAddress), options.Clock, logger);
        Candidates =
        [
            .. IceCandidates.Create(options.Udp, options.Tcp, Addresses(options), options.PublicPort == 0 ? Port : options.PublicPort),
        ];
    }

    /// <summary>The UDP and TCP port.</summary>
    public int Port { get; }

    /// <summary>SHA-256 of the certificate, as in SDP: "AB:CD:…".</summary>
    public string Fingerprint => Certificate.Fingerprint;

    /// <summary>Peers that are not closed.</summary>
    public int PeerCount => _peers.Count;

    internal WebRtcOptions Options { get; }
    internal PeerClock Clock { get; }
    internal DtlsCertificate Certificate { get; }
    internal UdpTransport? Udp { get; }
    internal IReadOnlyList<string> Candidates { get; }

    /// <summary>Binds; throws <see cref="SocketException"/> when the port is taken.</summary>
    public static Task<WebRtcEndpoint> StartAsync(WebRtcOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!options.Udp && !options.Tcp)
        {
            throw new ArgumentException("An endpoint needs UDP or TCP.", nameof(options));
        }

        var (udp, tcp) = Bind(options);
        var endpoint = new WebRtcEndpoint(options, udp, tcp, loggers.CreateLogger<WebRtcEndpoint>());
        endpoint.Udp?.Start();
        endpoint._tcp?.Start();
        endpoint._logger.Listening(endpoint.Port);
        return Task.FromResult(endpoint);
    }

    /// <summary>
    /// Creates a peer that waits for an offer or makes one. Throws <see cref="InvalidOperationException"/> at
    /// <see cref="WebRtcOptions.MaxPeers"/>.
    /// </summary>
    public PeerConnection CreatePeer(PeerOptions options)
    {
        ObjectDisposedException.ThrowIf(_stopped, this);
        if (options.Codecs.Count == 0 || options.MinBitrate < 1000 || options.MaxBitrate < options.MinBitrate)
        {
            throw new ArgumentException(
                "A peer needs a codec, and bitrates of at least 1 kbit/s with the minimum below the maximum.",
                nameof(options)
            );
        }

        if (_peers.Count >= Options.MaxPeers)
        {
            throw new InvalidOperationException($"There are already {Options.MaxPeers} peers.");
        }

        var peer = new PeerConnection(this, options, _logger);
        _peers[peer] = true;
        return peer;
    }

    /// <summary>Closes every peer, then the sockets.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        await Task.WhenAll(_peers.Keys.Select(peer => peer.CloseAsync(CloseReason.EndpointStopped).AsTask()));
        if (_tcp is not null)
        {
            await _tcp.DisposeAsync();
        }

        Udp?.Dispose();
    }

    IPacketReceiver? IPeerDirectory.FindByStun(ReadOnlySpan<byte> packet) =>
        Demultiplexer.LocalUfrag(packet) is { } ufrag && _byUfrag.TryGetValue(ufrag, out var peer) ? peer : null;

    internal void Register(string ufrag, PeerConnection peer) => _byUfrag[ufrag] = peer;

    internal void Unregister(string ufrag, PeerConnection peer) => _byUfrag.TryRemove(KeyValuePair.Create(ufrag, peer));

    internal void Remove(PeerConnection peer)
    {
        _peers.TryRemove(peer, out _);
        foreach (var ufrag in peer.Ufrags())
        {
            Unregister(ufrag, peer);
        }
    }

    internal bool TryEnterHandshake()
    {
        if (Interlocked.Increment(ref _handshakes) <= Options.MaxHandshakes)
        {
            return true;
        }

        Interlocked.Decrement(ref _handshakes);
        return false; // the client will resend its hello
    }

    internal void LeaveHandshake() => Interlocked.Decrement(ref _handshakes);

    private static (Socket? Udp, Socket? Tcp) Bind(WebRtcOptions options)
    {
        for (var attempt = 1; ; attempt++)
        {
            Socket? udp = null;
            Socket? tcp = null;
            try
            {
                udp = options.Udp ? Open(options.Listen, SocketType.Dgram, ProtocolType.Udp) : null;
                var port = udp is null ? options.Listen.Port : ((IPEndPoint)udp.LocalEndPoint!).Port;
                tcp = options.Tcp ? Open(new IPEndPoint(options.Listen.Address, port), SocketType.Stream, ProtocolType.Tcp) : null;
                tcp?.Listen(128);
                return (udp, tcp);
            }
            catch (SocketException e)
            {
                udp?.Dispose();
                tcp?.Dispose();
                if (options.Listen.Port != 0 || attempt == PortAttempts || e.SocketErrorCode != SocketError.AddressAlreadyInUse)
                {
                    throw;
                }
            }
        }
    }

    private static Socket Open(IPEndPoint at, SocketType type, ProtocolType protocol)
    {
        var socket = new Socket(at.AddressFamily, type, protocol);
        try
        {
            if (at.Address.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(at);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static IEnumerable<IPAddress> Addresses(WebRtcOptions options)
    {
        if (options.PublicAddresses.Count > 0)
        {
            return options.PublicAddresses;
        }

        if (!options.Listen.Address.Equals(IPAddress.Any) && !options.Listen.Address.Equals(IPAddress.IPv6Any))
        {
            return [options.Listen.Address];
        }

        var own = NetworkInterface
            .GetAllNetworkInterfaces()
            .Where(i => i.OperationalStatus == OperationalStatus.Up)
            .SelectMany(i => i.GetIPProperties().UnicastAddresses.Select(a => a.Address))
            .Where(a => !IPAddress.IsLoopback(a) && !a.IsIPv6LinkLocal)
            .Where(a => a.AddressFamily == AddressFamily.InterNetwork || options.Listen.AddressFamily == AddressFamily.InterNetworkV6)
            .ToList();
        return own.Count > 0 ? own : [IPAddress.Loopback];
    }
}
