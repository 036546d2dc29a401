using System.Buffers;
using System.Net.Sockets;

namespace Oriel.Egress.Proxy;

/// <summary>Relays bytes both ways until both ends are done; the end of one direction is passed on alone (half-close).</summary>
internal static class Tunnel
{
    private const int BufferBytes = 64 * 1024;

    public static async Task RunAsync(
        HttpReader guest,
        Socket guestSocket,
        HttpReader remote,
        Socket remoteSocket,
        Action<long> up,
        Action<long> down,
        CancellationToken cancellationToken
    )
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAll(
            PumpAsync(guest, remote.Stream, remoteSocket, up, broken),
            PumpAsync(remote, guest.Stream, guestSocket, down, broken)
        );
    }

    private static async Task PumpAsync(HttpReader from, Stream to, Socket toSocket, Action<long> count, CancellationTokenSource broken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, broken.Token)) > 0)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), broken.Token);
                count(read);
            }

            toSocket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One direction broke: the other has nothing left to serve.
            await broken.CancelAsync();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
