using System.Buffers;
using System.Net.Sockets;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Proxy;

/// <summary>
/// Relays bytes both ways until both ends are done, or neither has said anything for too long. The end of one direction is passed on alone
/// (half-close).
/// </summary>
internal static class Tunnel
{
    private const int BufferBytes = 64 * 1024;

    public static async Task RunAsync(
        HttpReader guest,
        Socket guestSocket,
        HttpReader remote,
        Socket remoteSocket,
        EgressRecord record,
        EgressOptions options,
        CancellationToken cancellationToken
    )
    {
        using var silence = new SilenceLimit(options.IdleTimeout, cancellationToken);
        await Task.WhenAll(
            PumpAsync(guest, remote.Stream, remoteSocket, record.CountUp, silence, options),
            PumpAsync(remote, guest.Stream, guestSocket, record.CountDown, silence, options)
        );
    }

    private static async Task PumpAsync(
        HttpReader from,
        Stream to,
        Socket toSocket,
        Action<long> count,
        SilenceLimit silence,
        EgressOptions options
    )
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, silence.Token)) > 0)
            {
                silence.Heard();
                await to.WriteAsync(buffer.AsMemory(0, read), silence.Token);
                count(read);
            }

            toSocket.Shutdown(SocketShutdown.Send);
            silence.Set(options.HalfClosedTimeout);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One direction broke: the other has nothing left to serve.
            await silence.EndAsync();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
