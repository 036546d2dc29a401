using System.Net;
using System.Net.Sockets;
using System.Text;
using Oriel.Server.Auth;
using Oriel.Server.Http;

namespace Oriel.Tests.Server;

public sealed class ConnectionLimitTests
{
    private static readonly IPAddress One = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Two = IPAddress.Parse("192.0.2.2");

    [Fact]
    public void TryEnter_BeyondEachBound_IsRefusedUntilOneLeaves()
    {
        var limit = new ConnectionLimit(total: 3, perAddress: 2);
        Assert.True(limit.TryEnter(One));
        Assert.True(limit.TryEnter(One));
        Assert.False(limit.TryEnter(One));
        Assert.True(limit.TryEnter(Two));
        Assert.False(limit.TryEnter(Two));
        limit.Leave(One);
        Assert.True(limit.TryEnter(Two));
        limit.Leave(Two);
        limit.Leave(Two);
        Assert.True(limit.TryEnter(One));
    }

    /// <summary>Who has one address of an IPv6 network has all of them.</summary>
    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1", true)]
    [InlineData("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    public void Host_OfTwoAddresses_IsOneWhereOneMayHaveBoth(string one, string other, bool same)
    {
        Assert.Equal(same, ClientHost.Of(IPAddress.Parse(one)).Equals(ClientHost.Of(IPAddress.Parse(other))));
        var limiter = new SignInLimiter(TimeProvider.System);
        for (var i = 0; i < SignInLimiter.Burst; i++)
        {
            Assert.True(limiter.MayFail(IPAddress.Parse(one)));
        }

        Assert.Equal(!same, limiter.MayFail(IPAddress.Parse(other)));
    }

    /// <summary>Whoever opens connections and says nothing leaves room for others once they go, and the server stays as it was.</summary>
    [Fact]
    public async Task Server_WithAsManySilentConnectionsAsOneAddressMayHave_RefusesMoreAndRecovers()
    {
        await using var server = await TestServer.StartAsync();
        List<Socket> silent = [];
        try
        {
            for (var i = 0; i < ConnectionLimit.PerAddress; i++)
            {
                silent.Add(await ConnectAsync(server));
            }

            await Eventually.HoldsAsync(async () => await IsServedAsync(server) ? "one more is served" : null);
        }
        finally
        {
            silent.ForEach(socket => socket.Dispose());
        }

        await Eventually.HoldsAsync(async () => await IsServedAsync(server) ? null : "nothing is served any more");
    }

    private static async Task<Socket> ConnectAsync(TestServer server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, server.Api.BaseAddress!.Port, TestContext.Current.CancellationToken);
        return socket;
    }

    private static async Task<bool> IsServedAsync(TestServer server)
    {
        var answer = new byte[12];
        try
        {
            // One too many may be cut before it is seen to be connected.
            using var socket = await ConnectAsync(server);
            await socket.SendAsync(Encoding.ASCII.GetBytes("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            return await socket.ReceiveAsync(answer) > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
