using System.Net;
using System.Net.Sockets;
using Oriel.WebRtc.Peers;

namespace Oriel.WebRtc.Tests.Relay;

/// <summary>
/// A path between browsers and one endpoint in user space (the kernel here has no netem). Make the relay first, give its <see cref="Port"/>
/// to the endpoint as
/// <see cref="WebRtcOptions.PublicPort"/> with TCP off, then call <see cref="Start"/> with the endpoint's own port.
/// </summary>
public sealed class UdpRelay : IAsyncDisposable
{
    private readonly Socket _public;
    private readonly Dictionary<EndPoint, Socket> _clients = [];
    private readonly List<Task> _receiving = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Link _down;
    private readonly Link _up;

    /// <param name="down">From the endpoint to the browsers.</param>
    /// <param name="up">From the browsers to the endpoint.</param>
    public UdpRelay(LinkOptions down, LinkOptions up)
    {
        _down = new Link(down);
        _up = new Link(up);
        _public = Bind();
    }

    public int Port => ((IPEndPoint)_public.LocalEndPoint!).Port;

    /// <summary>May be changed while the relay runs.</summary>
    public LinkOptions Down
    {
        get => _down.Options;
        set => _down.Options = value;
    }

    /// <summary>May be changed while the relay runs.</summary>
    public LinkOptions Up
    {
        get => _up.Options;
        set => _up.Options = value;
    }

    /// <summary>Packets that reached the browsers, their bytes, and packets that did not.</summary>
    public (long Delivered, long Bytes, long Dropped) DownCounts => (_down.Delivered, _down.DeliveredBytes, _down.Dropped);

    public void Start(int endpointPort) => _receiving.Add(FromBrowsersAsync(new IPEndPoint(IPAddress.Loopback, endpointPort)));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _receiving[0];
        await Task.WhenAll(_receiving);
        await _down.DisposeAsync();
        await _up.DisposeAsync();
        _public.Dispose();
        foreach (var socket in _clients.Values)
        {
            socket.Dispose();
        }

        _stop.Dispose();
    }

    private static Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
        {
            ReceiveBufferSize = 1 << 20,
            SendBufferSize = 1 << 20,
        };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private async Task FromBrowsersAsync(EndPoint endpoint)
    {
        var buffer = new byte[2048];
        while (await ReceiveAsync(_public, buffer) is { } received)
        {
            if (!_clients.TryGetValue(received.RemoteEndPoint, out var socket))
            {
                socket = Bind();
                _clients[received.RemoteEndPoint] = socket;
                _receiving.Add(ToBrowserAsync(socket, received.RemoteEndPoint));
            }

            _up.Send(buffer.AsSpan(0, received.ReceivedBytes), packet => Send(socket, packet, endpoint));
        }
    }

    private async Task ToBrowserAsync(Socket socket, EndPoint browser)
    {
        var buffer = new byte[2048];
        while (await ReceiveAsync(socket, buffer) is { } received)
        {
            _down.Send(buffer.AsSpan(0, received.ReceivedBytes), packet => Send(_public, packet, browser));
        }
    }

    private async Task<SocketReceiveFromResult?> ReceiveAsync(Socket socket, byte[] buffer)
    {
        while (true)
        {
            try
            {
                return await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
            catch (SocketException)
            {
                // ICMP of an earlier send: a browser's socket is gone
            }
        }
    }

    private static void Send(Socket socket, ReadOnlyMemory<byte> packet, EndPoint to)
    {
        try
        {
            socket.SendTo(packet.Span, SocketFlags.None, to);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // gone
        }
    }
}
