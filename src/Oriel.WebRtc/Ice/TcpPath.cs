using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Oriel.WebRtc.Ice;

/// <summary>
/// One accepted connection. Packets wait in a bounded buffer that one writer at a time drains. A packet that does not fit is dropped: a
/// slow link loses packets, which congestion control sees, and never blocks a peer's loop.
/// </summary>
internal sealed class TcpPath : IcePath
{
    // About 170 ms at 12 Mbit/s: more would only add delay that the sender cannot undo.
    private const int MaxQueued = 256 * 1024;

    private readonly Socket _socket;
    private readonly TcpAdmission _admission;
    private readonly Lock _lock = new();
    private byte[] _filling = new byte[16 * 1024];
    private byte[] _draining = new byte[16 * 1024];
    private int _filled;
    private bool _writing;
    private bool _closed;
    private volatile bool _isTaken;

    public TcpPath(Socket socket, IPEndPoint remote, IPacketReceiver peer, TcpAdmission admission)
    {
        _socket = socket;
        _admission = admission;
        Remote = remote;
        Peer = peer;
    }

    public IPacketReceiver Peer { get; }
    public override IPEndPoint Remote { get; }
    public override bool IsTcp => true;

    /// <summary>Whether a valid check has claimed the path. Until then the connection may be anyone's.</summary>
    public bool IsTaken => _isTaken;

    /// <summary>The connection has ended; the peer's loop removes the path.</summary>
    public void OnClosed() => Peer.PostPathClosed(this);

    public override void Send(ReadOnlySpan<byte> packet)
    {
        lock (_lock)
        {
            var needed = _filled + TcpFraming.HeaderLength + packet.Length;
            if (_closed || needed > MaxQueued)
            {
                return;
            }

            if (needed > _filling.Length)
            {
                Array.Resize(ref _filling, Math.Max(needed, Math.Min(MaxQueued, _filling.Length * 2)));
            }

            BinaryPrimitives.WriteUInt16BigEndian(_filling.AsSpan(_filled), (ushort)packet.Length);
            packet.CopyTo(_filling.AsSpan(_filled + TcpFraming.HeaderLength));
            _filled = needed;
            if (_writing)
            {
                return;
            }

            _writing = true;
        }

        _ = WriteAsync(); // ends by itself when the buffer is empty or the socket is closed; any failure ends the connection
    }

    public override void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }

        _socket.Dispose();
    }

    public override void OnTaken()
    {
        _isTaken = true;
        _admission.OnTaken();
    }

    private async Task WriteAsync()
    {
        try
        {
            while (true)
            {
                int length;
                lock (_lock)
                {
                    if (_filled == 0)
                    {
                        _writing = false;
                        return;
                    }

                    (_filling, _draining) = (_draining, _filling);
                    length = _filled;
                    _filled = 0;
                }

                for (var sent = 0; sent < length; )
                {
                    sent += await _socket.SendAsync(_draining.AsMemory(sent, length - sent), SocketFlags.None);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Close(); // the reading side notices and tells the peer
        }
    }
}
