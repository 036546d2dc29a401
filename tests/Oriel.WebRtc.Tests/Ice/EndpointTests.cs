using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Peers;

namespace Oriel.WebRtc.Tests.Ice;

public sealed class EndpointTests
{
    private static readonly string Offer = Fuzzer
        .Seeds("sdp")
        .Select(Encoding.UTF8.GetString)
        .First(text => text.StartsWith("v=0\r\no=- 866", StringComparison.Ordinal));

    [Fact]
    public async Task Peers_ThreeHundred_CostNoThreadEach()
    {
        await using var endpoint = await StartAsync(new WebRtcOptions());
        using var process = Process.GetCurrentProcess();
        var before = process.Threads.Count;
        for (var i = 0; i < 300; i++)
        {
            endpoint.CreatePeer(new PeerOptions()).AcceptOffer(Offer);
        }

        process.Refresh();
        Assert.InRange(process.Threads.Count - before, -300, 50);
        Assert.Equal(300, endpoint.PeerCount);
    }

    [Fact]
    public async Task CreatePeer_BeyondTheBound_IsRefused()
    {
        await using var endpoint = await StartAsync(new WebRtcOptions { MaxPeers = 1 });
        var peer = endpoint.CreatePeer(new PeerOptions());

        Assert.Throws<InvalidOperationException>(() => endpoint.CreatePeer(new PeerOptions()));
        await peer.DisposeAsync();
        await endpoint.CreatePeer(new PeerOptions()).DisposeAsync();
    }

    /// <summary>Each holds a thread: one too many waits until its client sends its hello again.</summary>
    [Fact]
    public async Task Handshakes_BeyondTheBound_Wait()
    {
        await using var endpoint = await StartAsync(new WebRtcOptions { MaxHandshakes = 2 });
        Assert.True(endpoint.TryEnterHandshake());
        Assert.True(endpoint.TryEnterHandshake());
        Assert.False(endpoint.TryEnterHandshake());
        endpoint.LeaveHandshake();
        Assert.True(endpoint.TryEnterHandshake());
    }

    [Fact]
    public async Task Peer_ThatNeverConnects_ClosesAfterTheTimeout()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var endpoint = await StartAsync(new WebRtcOptions { Clock = clock });
        var peer = endpoint.CreatePeer(new PeerOptions());
        peer.AcceptOffer(Offer);

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!peer.Closed.IsCompleted)
        {
            Assert.False(deadline.IsCancellationRequested, $"The peer did not close; last seen: {peer.GetStats()}");
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal(CloseReason.ConnectTimeout, await peer.Closed);
        Assert.Throws<InvalidOperationException>(() => peer.PatchIce("a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"));
    }

    [Fact]
    public async Task Tcp_FirstFrameOfAStranger_EndsTheConnection()
    {
        await using var endpoint = await StartAsync(new WebRtcOptions());
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, endpoint.Port), TestContext.Current.CancellationToken);

        await client.SendAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray(), SocketFlags.None, TestContext.Current.CancellationToken);

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        int read;
        try
        {
            read = await client.ReceiveAsync(new byte[16], SocketFlags.None, deadline.Token);
        }
        catch (SocketException)
        {
            read = 0; // reset, since bytes were left unread
        }

        Assert.Equal(0, read);
    }

    [Fact]
    public async Task Tcp_MorePendingFromOneAddressThanMayBe_AreClosedUntilOneLeaves()
    {
        await using var endpoint = await StartAsync(new WebRtcOptions { MaxPendingTcpPerAddress = 2 });
        using var first = await ConnectAsync(endpoint.Port);
        using var second = await ConnectAsync(endpoint.Port);
        using var third = await ConnectAsync(endpoint.Port);
        Assert.Equal(0, await ReadAsync(third));

        first.Dispose();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            // It stays open as long as it says nothing: what is sent back never comes, what is closed reads 0 at once.
            using var next = await ConnectAsync(endpoint.Port);
            using var open = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            try
            {
                await next.ReceiveAsync(new byte[1], SocketFlags.None, open.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            Assert.False(deadline.IsCancellationRequested, "No connection is taken although one has left.");
        }
    }

    [Fact]
    public void PendingTcp_ManyAddresses_AreCountedBySourceAndInAll()
    {
        var pending = new PendingTcp(most: 5, mostFromOne: 2);
        var (here, mapped, there) = (IPAddress.Parse("192.0.2.1"), IPAddress.Parse("::ffff:192.0.2.1"), IPAddress.Parse("192.0.2.2"));
        Assert.True(pending.TryEnter(here) && pending.TryEnter(mapped));
        Assert.False(pending.TryEnter(here));
        Assert.True(pending.TryEnter(IPAddress.Parse("2001:db8::1")) && pending.TryEnter(IPAddress.Parse("2001:db8::ffff:2")));
        Assert.False(pending.TryEnter(IPAddress.Parse("2001:db8::3")));
        Assert.True(pending.TryEnter(there));
        Assert.False(pending.TryEnter(IPAddress.Parse("192.0.2.3")));
        pending.Leave(mapped);
        Assert.True(pending.TryEnter(here));
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), TestContext.Current.CancellationToken);
        return client;
    }

    private static async Task<int> ReadAsync(Socket client)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return await client.ReceiveAsync(new byte[16], SocketFlags.None, deadline.Token);
    }

    [Fact]
    public async Task Udp_Garbage_HarmsNothing()
    {
        await using var endpoint = await StartAsync(new WebRtcOptions());
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        var random = new Random(1);
        var packet = new byte[600];
        for (var i = 0; i < 2000; i++)
        {
            random.NextBytes(packet);
            client.SendTo(packet.AsSpan(0, random.Next(1, packet.Length)), new IPEndPoint(IPAddress.Loopback, endpoint.Port));
        }

        endpoint.CreatePeer(new PeerOptions()).AcceptOffer(Offer);
        Assert.Equal(1, endpoint.PeerCount);
    }

    private static Task<WebRtcEndpoint> StartAsync(WebRtcOptions options) =>
        WebRtcEndpoint.StartAsync(options, NullLoggerFactory.Instance, TestContext.Current.CancellationToken);
}
