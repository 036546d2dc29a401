using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Ice;

/// <summary>
/// Passive ICE-TCP (RFC 6544): accepts connections on the endpoint's port. A connection's first frame must be a check that names a known
/// peer. Until a valid check claims its path, the connection has a deadline and carries only checks.
/// </summary>
internal sealed class TcpTransport(Socket listener, IPeerDirectory peers, PendingTcp pending, TimeProvider clock, ILogger logger)
    : IAsyncDisposable
{
    private const int SendBuffer = 128 * 1024; // the kernel would grow it to megabytes, which only adds delay

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _connections = [];
    private Task _accepting = Task.CompletedTask;

    public void Start() => _accepting = AcceptAsync();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        listener.Dispose();
        await _accepting;
        Task[] left;
        lock (_lock)
        {
            left = [.. _connections];
        }

        await Task.WhenAll(left);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var socket = await listener.AcceptAsync(_stop.Token);
                if (socket.RemoteEndPoint is not IPEndPoint { Address: var from } || !pending.TryEnter(from))
                {
                    socket.Dispose();
                    continue;
                }

                var connection = ServeAsync(socket, from);
                lock (_lock)
                {
                    _connections.Add(connection);
                }

                _ = connection.ContinueWith(
                    done =>
                    {
                        lock (_lock)
                        {
                            _connections.Remove(done);
                        }
                    },
                    CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default
                );
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                logger.PacketFault(e); // out of descriptors, or the peer is already gone
                await Task.Delay(TimeSpan.FromMilliseconds(100), clock, CancellationToken.None);
            }
        }
    }

    private async Task ServeAsync(Socket socket, IPAddress from)
    {
        await Task.Yield();
        using var admission = new TcpAdmission(pending, from, clock, _stop.Token);
        TcpPath? path = null;
        try
        {
            socket.NoDelay = true;
            socket.SendBufferSize = SendBuffer;
            var buffer = new byte[4 * (TcpFraming.MaxFrame + TcpFraming.HeaderLength)];
            var filled = 0;
            while (true)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(filled), admission.Ending);
                if (read == 0)
                {
                    return;
                }

                filled += read;
                if (!Consume(socket, admission, buffer, ref filled, ref path))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The peer left, the deadline passed or the endpoint is stopping. Each ends the connection.
        }
        catch (Exception e)
        {
            logger.PacketFault(e);
        }
        finally
        {
            path?.OnClosed();
            socket.Dispose();
        }
    }

    /// <summary>Passes on every whole frame and keeps the rest. False when the connection must be closed.</summary>
    private bool Consume(Socket socket, TcpAdmission admission, byte[] buffer, ref int filled, ref TcpPath? path)
    {
        var at = 0;
        FrameResult result;
        while ((result = TcpFraming.TryRead(buffer.AsSpan(at, filled - at), out var frame)) == FrameResult.Frame)
        {
            at += TcpFraming.HeaderLength + frame.Length;
            var kind = Demultiplexer.Classify(frame);
            if (path is null)
            {
                if (kind != PacketKind.Stun || peers.FindByStun(frame) is not { } peer)
                {
                    return false;
                }

                var named = new TcpPath(socket, (IPEndPoint)socket.RemoteEndPoint!, peer, admission);
                if (!peer.TryAdd(named))
                {
                    return false;
                }

                path = named;
            }

            if (path.IsTaken || kind == PacketKind.Stun)
            {
                path.Peer.Post(frame, kind, path, null);
            }
        }

        buffer.AsSpan(at, filled - at).CopyTo(buffer);
        filled -= at;
        return result != FrameResult.Invalid;
    }
}
