using System.Net;
using System.Net.Sockets;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Tests.Egress;

public sealed class EgressGatewayTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("rebound.test", "private-address")]
    [InlineData("127.0.0.1", "private-address")]
    [InlineData("[::1]", "private-address")]
    [InlineData("site.test", "private-address")]
    public async Task Connect_HostOnPrivateAddress_IsRefusedAfterResolution(string host, string reason)
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet, openLoopback: false);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT {host}:{egress.Port} HTTP/1.1\r\nHost: a\r\n\r\n");
        var answer = await EgressFixture.ReadToEndAsync(proxy);
        Assert.StartsWith("HTTP/1.1 403", answer);
        Assert.Contains($"X-Oriel-Reason: {reason}", answer);
        Assert.Equal(EgressVerdict.Refused, egress.Session.Log.Snapshot().Single().Verdict);
    }

    [Theory]
    [InlineData("site.test", "policy-denied", "deny 127.0.0.0/8")]
    [InlineData("127.0.0.1", "policy-denied", "deny 127.0.0.0/8")]
    [InlineData("2130706433", "policy-denied", "deny 127.0.0.0/8")]
    [InlineData("[::ffff:127.0.0.1]", "policy-denied", "deny 127.0.0.0/8")]
    public async Task Connect_NameOfADeniedNetwork_IsRefusedAndTheLogNamesTheRule(string host, string reason, string rule)
    {
        await using var egress = new EgressFixture(new EgressPolicy { Deny = [new("127.0.0.0/8")] });
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT {host}:{egress.Port} HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.Contains($"X-Oriel-Reason: {reason}", await EgressFixture.ReadToEndAsync(proxy));
        Assert.Equal((reason, rule), egress.Session.Log.Snapshot().Select(entry => (entry.Reason, entry.Rule)).Single());
    }

    [Theory]
    [InlineData("[::1%1]")]
    [InlineData("[fe80::1%25eth0]")]
    [InlineData("127.0.0.1%1")]
    public async Task Connect_AddressWithAZone_IsABadRequest(string host)
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT {host}:{egress.Port} HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400", await EgressFixture.ReadToEndAsync(proxy));
    }

    [Fact]
    public async Task SetPolicy_DenyingTheNetworkOfAnOpenConnection_CutsIt()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT site.test:{egress.Port} HTTP/1.1\r\nHost: a\r\n\r\n");
        var answer = new byte[256];
        Assert.StartsWith("HTTP/1.1 200", System.Text.Encoding.ASCII.GetString(answer, 0, await proxy.ReadAsync(answer, Token)));

        egress.Session.SetPolicy(new EgressPolicy { Deny = [new("127.0.0.1")] });

        Assert.Equal("", await EgressFixture.ReadToEndAsync(proxy));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Connect_UpstreamInAPrivateNetwork_IsDialledOnlyWhereTheOperatorAllowedIt(bool allowed)
    {
        using var upstream = new TcpListener(IPAddress.Loopback, 0);
        upstream.Start();
        var port = ((IPEndPoint)upstream.LocalEndpoint).Port;
        await using var egress = new EgressFixture(
            new EgressPolicy { Upstream = new(UpstreamType.Http, "127.0.0.1", port) },
            openLoopback: false,
            upstreams: allowed ? [new DnsEndPoint("127.0.0.1", port)] : []
        );
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, "CONNECT name.example:443 HTTP/1.1\r\nHost: a\r\n\r\n");
        if (allowed)
        {
            using var dialled = await upstream.AcceptTcpClientAsync(Token);
            Assert.True(dialled.Connected);
            return;
        }

        Assert.Contains("X-Oriel-Reason: upstream-private", await EgressFixture.ReadToEndAsync(proxy));
        Assert.False(upstream.Pending());
    }

    [Fact]
    public async Task Connect_OwnPort_IsRefusedWhateverIsOpen()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        egress.OwnPort = egress.Port;
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT site.test:{egress.Port} HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Contains("X-Oriel-Reason: own-port", await EgressFixture.ReadToEndAsync(proxy));
    }

    [Fact]
    public async Task Canary_UnderPolicyNone_IsAnsweredWithTheDesktopsOwnProof()
    {
        await using var egress = new EgressFixture(EgressPolicy.None, openLoopback: false);
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(
            proxy,
            $"GET http://{GuestNetwork.CanaryHost}/n0nce HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        );
        var answer = await EgressFixture.ReadToEndAsync(proxy);
        Assert.StartsWith("HTTP/1.1 200", answer);
        Assert.EndsWith(egress.ExpectedCanary("n0nce"), answer);

        await using var transparent = await egress.TransparentAsync(GuestNetwork.CanaryHost, "198.18.0.1", 80);
        await EgressFixture.SendAsync(transparent, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.EndsWith(egress.ExpectedCanary("other"), await EgressFixture.ReadToEndAsync(transparent));
    }

    [Fact]
    public async Task Transparent_ResolvedName_IsJudgedAndDialledByName()
    {
        await using var egress = new EgressFixture(new EgressPolicy { Mode = EgressMode.List, Allow = [new("site.test")] });
        await using var allowed = await egress.TransparentAsync("site.test", "198.18.0.1", egress.Port);
        await EgressFixture.SendAsync(allowed, "GET /hello HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n");
        Assert.Contains("hello ", await EgressFixture.ReadToEndAsync(allowed));

        await using var refused = await egress.TransparentAsync(null, "127.0.0.1", egress.Port);
        Assert.Equal("", await EgressFixture.ReadToEndAsync(refused));
        Assert.Contains(egress.Session.Log.Snapshot(), entry => entry is { Host: "127.0.0.1", Reason: "policy-not-listed" });
    }

    [Theory]
    [InlineData("d-bbbbbbbbbb", 32)]
    [InlineData(EgressFixture.Desktop, 32)]
    [InlineData(EgressFixture.Desktop, 1)]
    public async Task HandOver_WrongDesktopOrKey_IsClosedWithoutAWord(string desktop, int keyLength)
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        await using var stream = await egress.HandOverAsync(new EgressPreamble(desktop, new byte[keyLength], "proxy"));
        Assert.Equal("", await EgressFixture.ReadToEndAsync(stream));
        Assert.Empty(egress.Session.Log.Snapshot());
    }

    [Fact]
    public async Task SetPolicy_OpenTunnelThatItRefuses_IsCut()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        using var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        var port = ((IPEndPoint)target.LocalEndpoint).Port;
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT site.test:{port} HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", await HttpProxyTests.ReadHeadAsync(proxy));
        using var accepted = await target.AcceptSocketAsync(Token);

        egress.Session.SetPolicy(new EgressPolicy { Deny = [new("other.test")] });
        await EgressFixture.SendAsync(proxy, "still");
        var buffer = new byte[5];
        await new NetworkStream(accepted).ReadExactlyAsync(buffer, Token);

        egress.Session.SetPolicy(new EgressPolicy { Deny = [new("*.test")] });
        Assert.Equal("", await EgressFixture.ReadToEndAsync(proxy));
        var entry = await egress.EntryAsync(entry => !entry.Open);
        Assert.Equal("policy-changed", entry.Reason);
    }

    [Fact]
    public async Task Dispose_Session_CutsAndForgets()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        using var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, $"CONNECT site.test:{((IPEndPoint)target.LocalEndpoint).Port} HTTP/1.1\r\nHost: a\r\n\r\n");
        await HttpProxyTests.ReadHeadAsync(proxy);
        egress.Session.Dispose();
        Assert.Equal("", await EgressFixture.ReadToEndAsync(proxy));
        await using var later = await egress.ProxyAsync();
        Assert.Equal("", await EgressFixture.ReadToEndAsync(later));
    }

    [Fact]
    public async Task HandOver_BeyondTheLimit_IsAnswered503()
    {
        await using var egress = new EgressFixture(EgressPolicy.Internet, maxConnections: 1);
        using var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        await using var first = await egress.ProxyAsync();
        await EgressFixture.SendAsync(first, $"CONNECT site.test:{((IPEndPoint)target.LocalEndpoint).Port} HTTP/1.1\r\nHost: a\r\n\r\n");
        await HttpProxyTests.ReadHeadAsync(first);
        await using var second = await egress.ProxyAsync();
        Assert.StartsWith("HTTP/1.1 503", await EgressFixture.ReadToEndAsync(second));
    }

    [Theory]
    [InlineData(UpstreamType.Http, "right", true)]
    [InlineData(UpstreamType.Http, "wrong", false)]
    [InlineData(UpstreamType.Socks5, "right", true)]
    [InlineData(UpstreamType.Socks5, "wrong", false)]
    public async Task Connect_ThroughUpstream_UsesItsCredentials(UpstreamType type, string password, bool connected)
    {
        await using var upstream = new UpstreamProxyServer(type, "user", "right");
        await using var egress = new EgressFixture(new EgressPolicy { Upstream = new(type, "127.0.0.1", upstream.Port, "user", password) });
        await using var proxy = await egress.ProxyAsync();
        await EgressFixture.SendAsync(proxy, "CONNECT far.example:443 HTTP/1.1\r\nHost: a\r\n\r\n");
        var head = await HttpProxyTests.ReadHeadAsync(proxy);
        if (!connected)
        {
            Assert.StartsWith("HTTP/1.1 502", head);
            Assert.Contains("upstream-failed", head);
            return;
        }

        Assert.StartsWith("HTTP/1.1 200", head);
        Assert.Equal("far.example:443", await EgressFixture.ReadToEndAsync(proxy));
    }

    /// <summary>The fixture asserts it of every test of the proxy; this one asks for each kind of refusal and fault in one.</summary>
    [Fact]
    public async Task Guest_WhateverItSends_LogsNothingForTheOperator()
    {
        await using var egress = new EgressFixture(new EgressPolicy { Deny = [new("denied.test")] }, maxConnections: 1);
        string[] requests =
        [
            "\r\n\r\n\0\u001b[2J",
            "GET / HTTP/9.9\r\n\r\n",
            "CONNECT denied.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT rebound.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT no-such-name.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            $"POST http://site.test:{egress.Port}/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ];
        for (var turn = 0; turn < 5; turn++)
        {
            foreach (var request in requests)
            {
                await using var proxy = await egress.ProxyAsync();
                await EgressFixture.SendAsync(proxy, request);
                await using var second = await egress.ProxyAsync();
            }
        }

        // The desktop ends, and its guest goes on to connect.
        egress.Session.Dispose();
        await using var late = await egress.ProxyAsync();
        await EgressFixture.SendAsync(late, requests[2]);
    }

    [Fact]
    public void Log_OfAGuestThatNeverRests_KeepsTheNewest()
    {
        var log = new EgressLog(capacity: 1000, TimeProvider.System);
        for (var i = 0; i < 5000; i++)
        {
            log.Begin(EgressKind.Connect, $"host-{i}", 443).Complete();
        }

        Assert.Equal(Enumerable.Range(4000, 1000).Select(i => $"host-{i}"), log.Snapshot().Select(entry => entry.Host));
    }
}
