using System.Buffers;
using System.Net.Sockets;

namespace Oriel.Keeper.Relays;

/// <summary>
/// Bytes between two sockets, both ways, until both have ended or one has failed. The end of one direction is passed on as a half-close;
/// a failure resets both. A slow receiver stops the reading of its sender (one buffer in flight each way), and a connection that waits
/// holds no buffer.
/// </summary>
internal static class SocketRelay
{
    private const int BufferSize = 64 * 1024;

    /// <summary>Takes neither socket's ownership; the caller disposes both.</summary>
    /// <returns>Bytes from left to right, and from right to left.</returns>
    public static async Task<(long Up, long Down)> RunAsync(Socket left, Socket right, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var up = CopyAsync(left, right, stop);
        var down = CopyAsync(right, left, stop);
        var (upBytes, upWhole) = await up;
        var (downBytes, downWhole) = await down;
        if (!upWhole || !downWhole)
        {
            Reset(left);
            Reset(right);
        }

        return (upBytes, downBytes);
    }

    /// <summary>From now on closing the socket sends a reset, not an orderly end.</summary>
    public static void Reset(Socket socket)
    {
        try
        {
            if (socket.AddressFamily != AddressFamily.Unix)
            {
                socket.LingerState = new LingerOption(true, 0);
            }
        }
        catch (SocketException)
        {
            // Already reset by the other end.
        }
    }

    private static async Task<(long Bytes, bool Whole)> CopyAsync(Socket from, Socket to, CancellationTokenSource stop)
    {
        long total = 0;
        try
        {
            while (true)
            {
                // A receive of nothing ends when there is something: only then is a buffer taken.
                await from.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, stop.Token);
                var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
                try
                {
                    var count = await from.ReceiveAsync(buffer, SocketFlags.None, stop.Token);
                    if (count == 0)
                    {
                        to.Shutdown(SocketShutdown.Send);
                        return (total, true);
                    }

                    for (var sent = 0; sent < count; )
                    {
                        sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), SocketFlags.None, stop.Token);
                    }

                    total += count;
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            await stop.CancelAsync();
            return (total, false);
        }
    }
}
