using System.Net.Sockets;

namespace Oriel.Linux.Descriptors;

/// <summary>Accepting that goes on, whatever becomes of one connection.</summary>
public static class Accepting
{
    /// <summary>While there is no descriptor or no memory for a connection, the kernel says so again at once.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    /// <summary>The next connection. It waits in the listener's queue while this process has no descriptor for it.</summary>
    /// <param name="failed">Told of the first failure that is not the other side's doing (accept(2), Errors).</param>
    /// <exception cref="OperationCanceledException"/>
    /// <exception cref="SocketException">OperationAborted: the listener was closed.</exception>
    /// <exception cref="ObjectDisposedException">The same.</exception>
    public static async ValueTask<Socket> AcceptNextAsync(
        this Socket listener,
        CancellationToken cancellationToken,
        Action<SocketException>? failed = null
    )
    {
        while (true)
        {
            try
            {
                return await listener.AcceptAsync(cancellationToken);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionAborted or SocketError.ConnectionReset)
            {
                // The other side took it back.
            }
            catch (SocketException e) when (e.SocketErrorCode != SocketError.OperationAborted)
            {
                failed?.Invoke(e);
                failed = null;
                await Task.Delay(Rest, cancellationToken);
            }
        }
    }
}
