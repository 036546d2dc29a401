using System.Net.Sockets;
using System.Text;
using Oriel.Egress.Policy;

namespace Oriel.Tests.Egress;

/// <summary>What RFC 9110 and RFC 9112 demand of a proxy, between a raw client and a raw origin. Each case names its section.</summary>
public sealed class ProxyRulesTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>In requests and expectations, {a} is the origin's authority.</summary>
    [Theory]
    [InlineData(
        "9112 3.2.2: the URI's authority, once",
        "GET http://{a}/ HTTP/1.1\nHost: other.test",
        "GET / HTTP/1.1\nHost: {a}\n",
        "other.test"
    )]
    [InlineData("9112 3.2.2: Host is generated", "GET http://{a}/ HTTP/1.0", "GET / HTTP/1.1\nHost: {a}\n", "HTTP/1.0")]
    [InlineData("9112 3.2.4: the server as a whole", "OPTIONS http://{a} HTTP/1.1\nHost: {a}", "OPTIONS * HTTP/1.1\n", null)]
    [InlineData("9112 3.2.1: an empty path is /", "GET http://{a}?q=1 HTTP/1.1\nHost: {a}", "GET /?q=1 HTTP/1.1\n", null)]
    [InlineData("9110 4.2.5: a fragment is the client's own", "GET http://{a}/x#part HTTP/1.1\nHost: {a}", "GET /x HTTP/1.1\n", "part")]
    [InlineData(
        "9110 7.6.1: what Connection names",
        "GET http://{a}/ HTTP/1.1\nHost: {a}\nConnection: X-Mine\nX-Mine: 1\nX-Kept: 1",
        "\nX-Kept: 1\n",
        "X-Mine"
    )]
    [InlineData(
        "9110 7.6.1: Keep-Alive and TE",
        "GET http://{a}/ HTTP/1.1\nHost: {a}\nKeep-Alive: 5\nTE: gzip\nX-Kept: 1",
        "\nX-Kept: 1\n",
        "gzip"
    )]
    [InlineData(
        "9110 7.6.1: framing is for all",
        "POST http://{a}/ HTTP/1.1\nHost: {a}\nConnection: Content-Length, Host\nContent-Length: 0",
        "\nContent-Length: 0\n",
        "Connection"
    )]
    [InlineData(
        "9110 7.6.2: Max-Forwards counts down",
        "OPTIONS http://{a}/ HTTP/1.1\nHost: {a}\nMax-Forwards: 5",
        "\nMax-Forwards: 4\n",
        "Forwards: 5"
    )]
    [InlineData(
        "9110 7.6.2: of other methods it is left",
        "GET http://{a}/ HTTP/1.1\nHost: {a}\nMax-Forwards: 5",
        "\nMax-Forwards: 5\n",
        null
    )]
    [InlineData("9110 7.6.3: Via", "GET http://{a}/ HTTP/1.1\nHost: {a}\nVia: 1.1 before", "\nVia: 1.1 before\nVia: 1.1 oriel\n", null)]
    [InlineData("9110 7.6.3: Via names the version received", "GET http://{a}/ HTTP/1.0\nHost: {a}", "\nVia: 1.0 oriel\n", null)]
    [InlineData(
        "9110 7.8: Upgrade of HTTP/1.0 is ignored",
        "GET http://{a}/ HTTP/1.0\nConnection: Upgrade\nUpgrade: x",
        "\nVia: 1.0 oriel\n",
        "Upgrade"
    )]
    [InlineData(
        "9110 11.7.2: credentials are for this proxy",
        "GET http://{a}/ HTTP/1.1\nHost: {a}\nProxy-Authorization: Basic abc",
        "\nHost: {a}\n",
        "Basic"
    )]
    [InlineData(
        "9110 8.6: a repeated length is one",
        "POST http://{a}/ HTTP/1.1\nHost: {a}\nContent-Length: 0, 0\nContent-Length: 0",
        "\nContent-Length: 0\n",
        "0, 0"
    )]
    [InlineData(
        "9110 5.3: the order of fields stays",
        "GET http://{a}/ HTTP/1.1\nHost: {a}\nX: 1\nY: 2\nX: 3",
        "\nX: 1\nY: 2\nX: 3\n",
        null
    )]
    public async Task Request_AsTheOriginGetsIt(string rule, string request, string wanted, string? unwanted)
    {
        List<string> heads = [];
        await using var origin = RawOrigin.Answering(Ok, heads, close: true);
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        var authority = $"site.test:{origin.Port}";
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, Lines(request, authority) + "\r\n\r\n");
        await HttpProxyTests.ReadHeadAsync(proxy);

        var head = Assert.Single(heads);
        Assert.True(head.Contains(Lines(wanted, authority), StringComparison.Ordinal), $"{rule}:\n{head}");
        Assert.True(unwanted is null || !head.Contains(unwanted, StringComparison.Ordinal), $"{rule}:\n{head}");
        Assert.Equal(1, head.Split("\r\nHost: ").Length - 1);
    }

    [Theory]
    [InlineData("9112 5.1: no blank before a colon", "1.1", "HTTP/1.1 200 OK\nX-Old : 1\nContent-Length: 0\n\n", "\nX-Old: 1\n", null)]
    [InlineData(
        "9112 5.2: folded lines become one",
        "1.1",
        "HTTP/1.1 200 OK\nX-Long: a\n  b\nContent-Length: 0\n\n",
        "\nX-Long: a b\n",
        null
    )]
    [InlineData(
        "9110 15.2: interim responses are passed on",
        "1.1",
        "HTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 204 None\n\n",
        "HTTP/1.1 103",
        null
    )]
    [InlineData(
        "9110 15.2: but not to HTTP/1.0",
        "1.0",
        "HTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 204 None\n\n",
        "HTTP/1.1 204 None\n",
        "103"
    )]
    [InlineData(
        "9112 6.1: no chunks for HTTP/1.0",
        "1.0",
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X\n\n3;ext\nabc\n2\nde\n0\nX: 1\n\n",
        "\n\nabcde",
        "hunked"
    )]
    [InlineData(
        "9112 6.1: nor for an answer without a body",
        "1.0",
        "HTTP/1.1 304 Same\nTransfer-Encoding: chunked\n\n",
        "HTTP/1.1 304 Same\n",
        "hunked"
    )]
    [InlineData(
        "9110 2.5: a proxy sends its own version",
        "1.1",
        "HTTP/1.0 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.0"
    )]
    [InlineData(
        "9112 6.3: chunks win over a length",
        "1.1",
        "HTTP/1.1 200 OK\nContent-Length: 9\nTransfer-Encoding: chunked\n\n2\nab\n0\n\n",
        "\n2\nab\n0\n\n",
        "Content-Length"
    )]
    [InlineData("9112 6.3: a length that is none", "1.1", "HTTP/1.1 200 OK\nContent-Length: two\n\n", "HTTP/1.1 502 Bad Gateway\n", "200")]
    [InlineData(
        "9112 6.3: two lengths",
        "1.1",
        "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\na",
        "HTTP/1.1 502 Bad Gateway\n",
        "200"
    )]
    [InlineData("9110 8.6: one length twice", "1.1", "HTTP/1.1 200 OK\nContent-Length: 1, 1\n\na", "\nContent-Length: 1\n", "1, 1")]
    [InlineData(
        "9110 7.6.1: what Connection names",
        "1.1",
        "HTTP/1.1 200 OK\nConnection: X-Hop\nX-Hop: 1\nContent-Length: 0\n\n",
        "\nContent-Length: 0\n",
        "X-Hop"
    )]
    [InlineData(
        "9110 7.8: a protocol that nobody asked for",
        "1.1",
        "HTTP/1.1 101 Switching\nUpgrade: x\nConnection: Upgrade\n\n",
        "HTTP/1.1 502 Bad Gateway\n",
        "101"
    )]
    [InlineData("9110 7.6.3: Via", "1.1", "HTTP/1.0 200 OK\nContent-Length: 0\n\n", "\nVia: 1.0 oriel\n", null)]
    [InlineData(
        "9110 11.7.1: its demand is for another proxy",
        "1.1",
        "HTTP/1.1 200 OK\nProxy-Authenticate: Basic\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\n",
        "Basic"
    )]
    public async Task Response_AsTheClientGetsIt(string rule, string version, string answer, string wanted, string? unwanted)
    {
        await using var origin = RawOrigin.Answering(Lines(answer, ""), [], close: true);
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        var authority = $"site.test:{origin.Port}";
        await EgressFixture.SendAsync(
            proxy,
            $"GET http://{authority}/ HTTP/{version}\r\nHost: {authority}\r\n{(version == "1.1" ? "Connection: close\r\n" : "")}\r\n"
        );

        var got = await EgressFixture.ReadToEndAsync(proxy);
        Assert.True(got.Contains(Lines(wanted, ""), StringComparison.Ordinal), $"{rule}:\n{got}");
        Assert.True(unwanted is null || !got.Contains(unwanted, StringComparison.Ordinal), $"{rule}:\n{got}");
    }

    [Theory]
    [InlineData("9112 3.2: no Host", "GET http://{a}/ HTTP/1.1")]
    [InlineData("9112 3.2: two Hosts", "GET http://{a}/ HTTP/1.1\nHost: {a}\nHost: {a}")]
    [InlineData("9112 3.2: a Host that is none", "GET http://{a}/ HTTP/1.1\nHost: a b")]
    [InlineData("9112 3.2: no Host for a tunnel", "CONNECT {a} HTTP/1.1")]
    [InlineData("9112 5.1: a blank before a colon", "GET http://{a}/ HTTP/1.1\nHost: {a}\nX : 1")]
    [InlineData("9112 5.2: a folded line", "GET http://{a}/ HTTP/1.1\nHost: {a}\nX: 1\n 2")]
    [InlineData("9110 5.1: a name that is no token", "GET http://{a}/ HTTP/1.1\nHost: {a}\nX(y): 1")]
    [InlineData("9112 6.3: two ends of one body", "POST http://{a}/ HTTP/1.1\nHost: {a}\nContent-Length: 2\nTransfer-Encoding: chunked")]
    [InlineData("9110 4.2.4: user information", "GET http://me@{a}/ HTTP/1.1\nHost: {a}")]
    public async Task Request_ThatMustBeRefused_Is400AndReachesNobody(string rule, string request)
    {
        List<string> heads = [];
        await using var origin = RawOrigin.Answering(Ok, heads);
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, Lines(request, $"site.test:{origin.Port}") + "\r\n\r\n");

        var got = await EgressFixture.ReadToEndAsync(proxy);
        Assert.True(got.StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal), $"{rule}:\n{got}");
        Assert.Empty(heads);
    }

    /// <summary>9110 7.6.2.</summary>
    [Theory]
    [InlineData("OPTIONS", "200")]
    [InlineData("TRACE", "405")]
    public async Task Request_ThatMayNotBeForwarded_IsAnsweredHere(string method, string status)
    {
        List<string> heads = [];
        await using var origin = RawOrigin.Answering(Ok, heads);
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(
            proxy,
            $"{method} http://site.test:{origin.Port}/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n"
        );

        Assert.StartsWith($"HTTP/1.1 {status} ", await EgressFixture.ReadToEndAsync(proxy));
        Assert.Empty(heads);
    }

    /// <summary>
    /// 9112 9.3.1: the origin may close a kept connection just when a request is on its way. What does no harm twice is sent again; what
    /// might is not.
    /// </summary>
    [Theory]
    [InlineData("GET", "200", 2)]
    [InlineData("DELETE", "200", 2)]
    [InlineData("POST", "502", 1)]
    public async Task KeptConnection_ThatTheOriginCloses_IsReplacedWhereThatIsSafe(string method, string status, int connections)
    {
        await using var origin = new RawOrigin(
            async stream =>
            {
                await HttpProxyTests.ReadHeadAsync(stream);
                await EgressFixture.SendAsync(stream, Ok);
                await HttpProxyTests.ReadHeadAsync(stream);
            },
            async stream =>
            {
                await HttpProxyTests.ReadHeadAsync(stream);
                await EgressFixture.SendAsync(stream, Ok);
            }
        );
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        var target = $"http://site.test:{origin.Port}/ HTTP/1.1\r\nHost: a\r\n\r\n";
        await EgressFixture.SendAsync(proxy, "GET " + target);
        await HttpProxyTests.ReadHeadAsync(proxy);
        await proxy.ReadExactlyAsync(new byte[2], Token);
        await EgressFixture.SendAsync(proxy, $"{method} {target}");

        Assert.StartsWith($"HTTP/1.1 {status} ", await HttpProxyTests.ReadHeadAsync(proxy));
        Assert.Equal(connections, origin.Connections);
    }

    /// <summary>9112 9.3 and 9.6: an origin answers and closes before it has the whole body; the client gets the answer.</summary>
    [Fact]
    public async Task Answer_BeforeTheEndOfTheUpload_ReachesTheClient()
    {
        await using var origin = new RawOrigin(async stream =>
        {
            await HttpProxyTests.ReadHeadAsync(stream);
            await EgressFixture.SendAsync(stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much");
            stream.Socket.Shutdown(SocketShutdown.Send);
            await EgressFixture.ReadToEndAsync(stream);
        });
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(
            proxy,
            $"POST http://site.test:{origin.Port}/ HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n"
        );
        await EgressFixture.SendAsync(proxy, new string('x', 200_000));

        var got = await EgressFixture.ReadToEndAsync(proxy);
        Assert.StartsWith("HTTP/1.1 413 Too Large\r\n", got);
        Assert.EndsWith("too much", got);
    }

    /// <summary>9112 3.2.2, 9110 9.3.6: plain http goes to another proxy in absolute form, as many take CONNECT to 443 alone.</summary>
    [Theory]
    [InlineData(Ok, "HTTP/1.1 200 OK")]
    [InlineData("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 502 Bad Gateway")]
    public async Task PlainHttp_ThroughAnUpstreamProxy_GoesInAbsoluteForm(string answer, string wanted)
    {
        List<string> heads = [];
        await using var upstream = RawOrigin.Answering(answer, heads);
        await using var egress = new EgressFixture(
            new EgressPolicy { Upstream = new(UpstreamType.Http, "127.0.0.1", upstream.Port, "me", "secret") }
        );
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, "GET http://far.example/x?y HTTP/1.1\r\nHost: far.example\r\nConnection: close\r\n\r\n");

        Assert.StartsWith(wanted, await EgressFixture.ReadToEndAsync(proxy));
        var head = Assert.Single(heads);
        Assert.StartsWith("GET http://far.example/x?y HTTP/1.1\r\nHost: far.example\r\n", head);
        Assert.Contains("\r\nProxy-Authorization: Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("me:secret")) + "\r\n", head);
    }

    private static string Lines(string text, string authority) => text.Replace("{a}", authority).Replace("\n", "\r\n");
}
