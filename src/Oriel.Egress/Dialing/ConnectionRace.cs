using System.Net;
using System.Net.Sockets;

namespace Oriel.Egress.Dialing;

/// <summary>Connects to the first of several addresses that answers (RFC 8305, "Happy Eyeballs").</summary>
internal static class ConnectionRace
{
    /// <summary>How long an address may be silent until the next one is tried beside it (section 5).</summary>
    private static readonly TimeSpan AttemptDelay = TimeSpan.FromMilliseconds(250);

    /// <returns>Null when none accepts.</returns>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    public static async Task<(Socket Socket, IPAddress Address)?> RunAsync(
        IReadOnlyList<IPAddress> addresses,
        int port,
        CancellationToken cancellationToken
    )
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = new Queue<IPAddress>(Alternate(addresses));
        var running = new List<Task<(Socket Socket, IPAddress Address)?>>();
        try
        {
            while (waiting.Count > 0 || running.Count > 0)
            {
                if (waiting.TryDequeue(out var next))
                {
                    running.Add(ConnectAsync(next, port, over.Token));
                }

                var first = Task.WhenAny(running);
                if (waiting.Count > 0)
                {
                    await Task.WhenAny(first, Task.Delay(AttemptDelay, over.Token));
                    cancellationToken.ThrowIfCancellationRequested();
                }
                else
                {
                    await first;
                }

                foreach (var ended in running.Where(attempt => attempt.IsCompleted).ToList())
                {
                    running.Remove(ended);
                    if (await ended is { } connected)
                    {
                        return connected;
                    }
                }
            }

            return null;
        }
        finally
        {
            await over.CancelAsync();
            foreach (var late in running)
            {
                _ = late.ContinueWith(
                    static attempt => (attempt.IsCompletedSuccessfully ? attempt.Result : null)?.Socket.Dispose(),
                    CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default
                );
            }
        }
    }

    /// <summary>The families in turn, beginning with that of the resolver's first address (section 4).</summary>
    internal static IEnumerable<IPAddress> Alternate(IReadOnlyList<IPAddress> addresses)
    {
        var first = addresses.Where(address => address.AddressFamily == addresses[0].AddressFamily).ToList();
        var second = addresses.Except(first).ToList();
        for (var i = 0; i < Math.Max(first.Count, second.Count); i++)
        {
            if (i < first.Count)
            {
                yield return first[i];
            }

            if (i < second.Count)
            {
                yield return second[i];
            }
        }
    }

    private static async Task<(Socket Socket, IPAddress Address)?> ConnectAsync(
        IPAddress address,
        int port,
        CancellationToken cancellationToken
    )
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, port, cancellationToken);
            return (socket, address);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
