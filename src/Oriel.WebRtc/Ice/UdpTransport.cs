using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Ice;

/// <summary>
/// The endpoint's UDP socket. Its receive loop only dispatches packets to peers: STUN by local username fragment, anything else by address.
/// </summary>
internal sealed class UdpTransport : IDisposable
{
    private const int MaxDatagram = 2048; // peers' MTU is 1200; anything longer is not ours
    private const int SocketBuffer = 4 << 20;

    private readonly Socket _socket;
    private readonly IPeerDirectory _peers;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<SocketAddress, UdpPath> _paths = new();
    private readonly Thread _thread;
    private volatile bool _stopping;

    public UdpTransport(Socket socket, IPeerDirectory peers, ILogger logger)
    {
        _socket = socket;
        _peers = peers;
        _logger = logger;
        socket.ReceiveBufferSize = SocketBuffer;
        socket.SendBufferSize = SocketBuffer;
        _thread = new Thread(Receive) { IsBackground = true, Name = "webrtc-udp" };
    }

    public void Start() => _thread.Start();

    public void Send(ReadOnlySpan<byte> packet, SocketAddress to)
    {
        try
        {
            _socket.SendTo(packet, SocketFlags.None, to);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Unreachable or full: lost like any other datagram. If a path stays that way, its consent expires.
        }
    }

    public UdpPath Remember(SocketAddress address, IPacketReceiver peer)
    {
        var path = new UdpPath(this, address, peer);
        _paths[address] = path; // the newest peer owns an address: a reloaded page may reuse its port
        return path;
    }

    public void Forget(UdpPath path) => _paths.TryRemove(KeyValuePair.Create(path.Address, path));

    public void Dispose()
    {
        _stopping = true;
        _socket.Dispose();
        if (_thread.IsAlive)
        {
            _thread.Join(TimeSpan.FromSeconds(5));
        }
    }

    private void Receive()
    {
        var buffer = new byte[MaxDatagram + 1];
        var from = new SocketAddress(_socket.AddressFamily);
        while (!_stopping)
        {
            try
            {
                from.Size = from.Buffer.Length;
                var length = _socket.ReceiveFrom(buffer, SocketFlags.None, from);
                if (length is > 0 and <= MaxDatagram)
                {
                    Sort(buffer.AsSpan(0, length), from);
                }
            }
            catch (SocketException) when (!_stopping)
            {
                // ICMP errors from earlier sends surface here; the socket itself is fine.
            }
            catch (Exception e) when (_stopping || e is ObjectDisposedException)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.PacketFault(e);
            }
        }
    }

    private void Sort(ReadOnlySpan<byte> packet, SocketAddress from)
    {
        var kind = Demultiplexer.Classify(packet);
        _paths.TryGetValue(from, out var path);
        if (kind != PacketKind.Stun)
        {
            if (path is not null && kind != PacketKind.Unknown)
            {
                path.Peer.Post(packet, kind, path, null);
            }

            return;
        }

        if (_peers.FindByStun(packet) is { } peer)
        {
            var known = path?.Peer == peer ? path : null;
            peer.Post(packet, kind, known, known is null ? Clone(from) : null);
        }
    }

    private static SocketAddress Clone(SocketAddress address)
    {
        var copy = new SocketAddress(address.Family, address.Size);
        address.Buffer.Span[..address.Size].CopyTo(copy.Buffer.Span);
        return copy;
    }
}
