using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;

namespace Oriel.Tests.Egress;

public sealed class HttpProxyTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Get_TwoRequestsOnOneConnection_ShareTheConnectionToTheTarget()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        using var client = egress.Client();
        var first = await client.GetStringAsync("/hello", Token);
        var second = await client.GetStringAsync("/hello", Token);
        Assert.StartsWith("hello ", first);
        Assert.Equal(first, second);
        Assert.Equal(
            2,
            egress
                .Session.Log.Snapshot()
                .Count(entry => entry is { Kind: EgressKind.Http, Verdict: EgressVerdict.Allowed, Host: "site.test" })
        );
    }

    [Fact]
    public async Task Get_HopByHopFields_DoNotReachTheTarget()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(
            proxy,
            $"GET http://site.test:{egress.Port}/fields HTTP/1.1\r\nHost: site.test\r\nProxy-Authorization: Basic c2VjcmV0\r\nX-Mine: hop\r\nX-Kept: yes\r\nConnection: close, X-Mine\r\n\r\n"
        );
        var answer = await EgressFixture.ReadToEndAsync(proxy);
        Assert.Contains("X-Kept: yes", answer);
        Assert.DoesNotContain("c2VjcmV0", answer);
        Assert.DoesNotContain("X-Mine", answer);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Post_LargeUpload_ArrivesWhole(bool chunked)
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        using var client = egress.Client();
        var body = RandomNumberGenerator.GetBytes(24 * 1024 * 1024);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/upload") { Content = new ByteArrayContent(body) };
        request.Headers.TransferEncodingChunked = chunked;
        request.Headers.ExpectContinue = true;
        using var response = await client.SendAsync(request, Token);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(body)), await response.Content.ReadAsStringAsync(Token));
        var entry = await egress.EntryAsync(entry => !entry.Open);
        Assert.True(entry.BytesUp > body.Length);
    }

    [Fact]
    public async Task Requests_WithoutBodyInTheAnswer_KeepTheConnection()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        using var client = egress.Client();
        Assert.Equal(HttpStatusCode.NoContent, (await client.GetAsync("/empty", Token)).StatusCode);
        using var head = new HttpRequestMessage(HttpMethod.Head, "/hello");
        await client.SendAsync(head, Token);
        Assert.StartsWith("hello ", await client.GetStringAsync("/hello", Token));
    }

    [Fact]
    public async Task Upgrade_WebSocketByAbsoluteForm_IsRelayed()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(
            proxy,
            $"GET http://site.test:{egress.Port}/ws HTTP/1.1\r\nHost: site.test:{egress.Port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        var head = await ReadHeadAsync(proxy);
        Assert.StartsWith("HTTP/1.1 101", head);
        using var socket = WebSocket.CreateFromStream(proxy, new WebSocketCreationOptions { IsServer = false });
        await socket.SendAsync("ping"u8.ToArray(), WebSocketMessageType.Text, true, Token);
        var buffer = new byte[16];
        var message = await socket.ReceiveAsync(buffer, Token);
        Assert.Equal("ping", Encoding.UTF8.GetString(buffer, 0, message.Count));
    }

    [Fact]
    public async Task Connect_HalfClose_PassesTheOtherDirection()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        var (port, serving) = ServeOnce(async stream => $"got {(await EgressFixture.ReadToEndAsync(stream)).Length}");
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT site.test:{port} HTTP/1.1\r\nHost: site.test:{port}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", await ReadHeadAsync(proxy));
        await EgressFixture.SendAsync(proxy, "twelve bytes");
        proxy.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("got 12", await EgressFixture.ReadToEndAsync(proxy));
        await serving;
        var entry = await egress.EntryAsync(entry => !entry.Open);
        Assert.Equal((12L, 6L, EgressKind.Connect), (entry.BytesUp, entry.BytesDown, entry.Kind));
    }

    [Theory]
    [InlineData("GARBAGE\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET http://site.test/ HTTP/2.0\r\n\r\n")]
    [InlineData("GET http://user@site.test/ HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET http://site.test:99999/ HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET http://si te.test/ HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET http://site.test/ HTTP/1.1\r\nHost: a\r\nBad Field: x\r\n\r\n")]
    [InlineData("GET http://site.test/ HTTP/1.1\r\nHost: a\r\nNoColon\r\n\r\n")]
    [InlineData("GET http://site.test/ HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n")]
    [InlineData("POST http://site.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("POST http://site.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")]
    [InlineData("POST http://site.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n")]
    [InlineData("POST http://site.test/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")]
    [InlineData("CONNECT site.test HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("CONNECT ::1:80 HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET http://site.test/\0 HTTP/1.1\r\nHost: a\r\n\r\n")]
    public async Task Request_Malformed_IsAnswered400WithTheReason(string request)
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, request);
        var answer = await EgressFixture.ReadToEndAsync(proxy);
        Assert.StartsWith("HTTP/1.1 400", answer);
        Assert.Contains("X-Oriel-Reason: bad-request", answer);
    }

    [Fact]
    public async Task Request_HeadWithoutEnd_IsRefusedAtTheBound()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, "GET http://site.test/ HTTP/1.1\r\nHost: a\r\nX: " + new string('a', 70_000));
        Assert.StartsWith("HTTP/1.1 400", await EgressFixture.ReadToEndAsync(proxy));
    }

    [Fact]
    public async Task Target_GivesNoHttp_IsAnswered502()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        var (port, serving) = ServeOnce(async stream =>
        {
            await ReadHeadAsync(stream);
            return "SSH-2.0-x\r\n\r\n";
        });
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"GET http://site.test:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 502", await EgressFixture.ReadToEndAsync(proxy));
        await serving;
    }

    /// <summary>The guest has done nothing wrong: its log must not say so.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Post_TargetThatBreaksOffTheUpload_IsTheTargetsFault(bool chunked)
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        using var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        var port = ((IPEndPoint)target.LocalEndpoint).Port;
        await using var proxy = await egress.ProxyAsync();
        var framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1000000000";
        await EgressFixture.SendAsync(proxy, $"POST http://site.test:{port}/ HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n");
        using (var socket = await target.AcceptSocketAsync(Token))
        {
            using var stream = new NetworkStream(socket);
            await ReadHeadAsync(stream);
            socket.LingerState = new LingerOption(true, 0);
        }

        try
        {
            var block = new string('x', 0x8000);
            while (true)
            {
                await EgressFixture.SendAsync(proxy, chunked ? $"8000\r\n{block}\r\n" : block);
            }
        }
        catch (IOException)
        {
            // The proxy has given up as well.
        }

        var entry = await egress.EntryAsync(entry => !entry.Open);
        Assert.Equal((EgressVerdict.Failed, "connect-failed"), (entry.Verdict, entry.Reason));
    }

    /// <summary>A guest cannot keep connections for ever by saying nothing on them.</summary>
    [Theory]
    [InlineData("tunnel")]
    [InlineData("half-closed tunnel")]
    [InlineData("silent target")]
    [InlineData("target silent within its answer")]
    public async Task Connection_ThatCarriesNothing_Ends(string kind)
    {
        var soon = TimeSpan.FromMilliseconds(300);
        await using var egress = new EgressFixture(
            EgressPolicy.Internet,
            change: options =>
                options with
                {
                    IdleTimeout = kind is "tunnel" or "target silent within its answer" ? soon : options.IdleTimeout,
                    HalfClosedTimeout = kind == "half-closed tunnel" ? soon : options.HalfClosedTimeout,
                    ResponseTimeout = kind == "silent target" ? soon : options.ResponseTimeout,
                }
        );
        await using var origin = new RawOrigin(async stream =>
        {
            if (kind == "target silent within its answer")
            {
                await ReadHeadAsync(stream);
                await EgressFixture.SendAsync(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
            }

            await EgressFixture.ReadToEndAsync(stream);
            await Task.Delay(Timeout.InfiniteTimeSpan, Token);
        });
        await using var proxy = await egress.ProxyAsync();
        var target = $"site.test:{origin.Port}";
        var isTunnel = kind.EndsWith("tunnel", StringComparison.Ordinal);
        await EgressFixture.SendAsync(
            proxy,
            isTunnel ? $"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n" : $"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n"
        );
        if (isTunnel)
        {
            Assert.StartsWith("HTTP/1.1 200", await ReadHeadAsync(proxy));
        }

        if (kind == "half-closed tunnel")
        {
            proxy.Socket.Shutdown(SocketShutdown.Send);
        }

        var rest = await EgressFixture.ReadToEndAsync(proxy);
        Assert.StartsWith(
            kind == "silent target" ? "HTTP/1.1 504 Gateway Timeout"
                : isTunnel ? ""
                : "HTTP/1.1 200 OK",
            rest
        );
        await egress.EntryAsync(entry => !entry.Open);
        await Eventually.HoldsAsync(() => egress.Session.Connections == 0, () => $"{egress.Session.Connections} connections are open");
    }

    /// <summary>A target for one connection, which it answers and closes.</summary>
    private static (int Port, Task Serving) ServeOnce(Func<Stream, Task<string>> answer)
    {
        var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        return (
            ((IPEndPoint)target.LocalEndpoint).Port,
            Task.Run(
                async () =>
                {
                    using (target)
                    {
                        using var socket = await target.AcceptSocketAsync(Token);
                        using var stream = new NetworkStream(socket);
                        await stream.WriteAsync(Encoding.ASCII.GetBytes(await answer(stream)), Token);
                    }
                },
                Token
            )
        );
    }

    internal static async Task<string> ReadHeadAsync(Stream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
        {
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}
