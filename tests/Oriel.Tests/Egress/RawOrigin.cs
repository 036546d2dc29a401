using System.Net;
using System.Net.Sockets;

namespace Oriel.Tests.Egress;

/// <summary>A server of raw bytes on loopback. Each connection gets the next handler; the last one serves all others.</summary>
internal sealed class RawOrigin : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;

    public RawOrigin(params Func<NetworkStream, Task>[] handlers)
    {
        _listener.Start();
        _serving = ServeAsync(handlers);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Connections { get; private set; }

    /// <summary>Answers every request of a connection with these bytes; keeps the heads that came.</summary>
    public static RawOrigin Answering(string answer, List<string> heads, bool close = false) =>
        new(async stream =>
        {
            while (await HttpProxyTests.ReadHeadAsync(stream) is { Length: > 0 } head)
            {
                lock (heads)
                {
                    heads.Add(head);
                }

                await EgressFixture.SendAsync(stream, answer);
                if (close)
                {
                    return;
                }
            }
        });

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
    }

    private async Task ServeAsync(Func<NetworkStream, Task>[] handlers)
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync();
                var handler = handlers[Math.Min(Connections++, handlers.Length - 1)];
                _ = Task.Run(async () =>
                {
                    await using var stream = new NetworkStream(socket, ownsSocket: true);
                    try
                    {
                        await handler(stream);
                    }
                    catch (IOException)
                    {
                        // The proxy went first.
                    }
                });
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test ended.
        }
    }
}
