using System.Net;
using System.Net.Sockets;
using System.Text;
using Oriel.Egress.Policy;

namespace Oriel.Tests.Egress;

/// <summary>
/// The server's side of HTTP CONNECT and SOCKS5 with credentials; instead of dialling it tells the target that it was asked for.
/// </summary>
internal sealed class UpstreamProxyServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;

    public UpstreamProxyServer(UpstreamType type, string user, string password)
    {
        _listener.Start();
        _serving = ServeAsync(type, user, password);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
    }

    private async Task ServeAsync(UpstreamType type, string user, string password)
    {
        try
        {
            using var socket = await _listener.AcceptSocketAsync();
            await using var stream = new NetworkStream(socket);
            await (type == UpstreamType.Http ? HttpAsync(stream, user, password) : Socks5Async(stream, user, password));
            socket.Shutdown(SocketShutdown.Send);
            await EgressFixture.ReadToEndAsync(stream);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // The test ended first.
        }
    }

    private static async Task HttpAsync(Stream stream, string user, string password)
    {
        var head = await HttpProxyTests.ReadHeadAsync(stream);
        var right = head.Contains(
            "Proxy-Authorization: Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")) + "\r\n",
            StringComparison.Ordinal
        );
        await EgressFixture.SendAsync(
            stream,
            right ? "HTTP/1.1 200 OK\r\n\r\n" + head.Split(' ')[1] : "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
        );
    }

    private static async Task Socks5Async(Stream stream, string user, string password)
    {
        var greeting = await ReadAsync(stream, 2);
        await ReadAsync(stream, greeting[1]);
        await stream.WriteAsync((byte[])[5, 2]);
        var name = await ReadAsync(stream, (await ReadAsync(stream, 2))[1]);
        var secret = await ReadAsync(stream, (await ReadAsync(stream, 1))[0]);
        var right = Encoding.UTF8.GetString(name) == user && Encoding.UTF8.GetString(secret) == password;
        await stream.WriteAsync((byte[])[1, right ? (byte)0 : (byte)1]);
        if (!right)
        {
            return;
        }

        var request = await ReadAsync(stream, 5);
        var host = Encoding.ASCII.GetString(await ReadAsync(stream, request[4]));
        var port = await ReadAsync(stream, 2);
        await stream.WriteAsync((byte[])[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        await EgressFixture.SendAsync(stream, $"{host}:{(port[0] << 8) | port[1]}");
    }

    private static async Task<byte[]> ReadAsync(Stream stream, int count)
    {
        var bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes);
        return bytes;
    }
}
