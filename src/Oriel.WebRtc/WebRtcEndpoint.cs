using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc;

/// <summary>One UDP socket, and one TCP listener on the same number, for all peers.</summary>
public sealed class WebRtcEndpoint : IAsyncDisposable
{
    private readonly Socket _udp;

    private WebRtcEndpoint(Socket udp, WebRtcOptions options)
    {
        _udp = udp;
        Options = options;
        Port = ((IPEndPoint)udp.LocalEndPoint!).Port;
    }

    /// <summary>Binds; throws <see cref="SocketException"/> when the port is taken.</summary>
    public static Task<WebRtcEndpoint> StartAsync(WebRtcOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var udp = new Socket(options.Listen.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        udp.Bind(options.Listen);
        return Task.FromResult(new WebRtcEndpoint(udp, options));
    }

    public int Port { get; }

    /// <summary>SHA-256 of the certificate, as in SDP: "AB:CD:…".</summary>
    public string Fingerprint { get; } = "";

    internal WebRtcOptions Options { get; }

    /// <summary>A peer that waits for an offer or makes one. Throws <see cref="InvalidOperationException"/> at <see cref="WebRtcOptions.MaxPeers"/>.</summary>
    public PeerConnection CreatePeer(PeerOptions options) => new(options);

    public ValueTask DisposeAsync()
    {
        _udp.Dispose();
        return ValueTask.CompletedTask;
    }
}
