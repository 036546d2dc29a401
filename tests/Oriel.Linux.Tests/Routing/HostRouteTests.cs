using System.Diagnostics;
using System.Net;
using Oriel.Egress.Policy;
using Oriel.Linux.Namespaces;
using Oriel.Linux.Routing;

namespace Oriel.Linux.Tests.Routing;

/// <summary>What the kernel says of a host with global addresses of its own: in a network namespace of the test's.</summary>
public sealed class HostRouteTests : IDisposable
{
    private readonly NetworkNamespace _network = NetworkNamespace.Create(() =>
    {
        Ip("link set lo up");
        Ip("link add name uplink type veth peer name other");
        Ip("link set other up");
        Ip("link set uplink up");
        Ip("addr add 5.5.5.5/32 dev lo");
        Ip("addr add 6.6.6.1/24 dev uplink");
        Ip("-6 addr add 2a0a:dead::1/64 dev uplink nodad");
        Ip("route add default via 6.6.6.254");
        Ip("route add 7.7.0.0/16 via 6.6.6.253");
        Ip("-6 route add default via 2a0a:dead::fe");
        Ip("route add 8.8.8.8 table 77 via 6.6.6.252");
        Ip("rule add to 8.8.8.8 lookup 77");
        Ip("route add unreachable 9.9.9.9");
    });

    [Theory]
    [InlineData("127.0.0.1", RouteKind.Local, 32)]
    [InlineData("5.5.5.5", RouteKind.Local, 32)]
    [InlineData("6.6.6.1", RouteKind.Local, 32)]
    [InlineData("6.6.6.9", RouteKind.Unicast, 24)]
    [InlineData("6.6.6.255", RouteKind.Several, 32)]
    [InlineData("7.7.1.1", RouteKind.Unicast, 16)]
    [InlineData("1.1.1.1", RouteKind.Unicast, 0)]
    [InlineData("8.8.8.8", RouteKind.Unicast, 32)]
    [InlineData("9.9.9.9", RouteKind.None, 0)]
    [InlineData("2a0a:dead::1", RouteKind.Local, 128)]
    [InlineData("2a0a:dead::9", RouteKind.Unicast, 64)]
    [InlineData("2606:4700::1111", RouteKind.Unicast, 0)]
    public void To_AnAddress_IsTheEntryThatMatches(string address, RouteKind kind, int prefix)
    {
        HostRoute route = default;
        _network.Run(() => route = HostRoute.To(IPAddress.Parse(address)));

        Assert.Equal(new HostRoute(kind, prefix), route);
    }

    [Theory]
    [InlineData("5.5.5.5", "own-network")]
    [InlineData("2a0a:dead::1", "own-network")]
    [InlineData("2a0a:dead::9", "own-network")]
    [InlineData("7.7.1.1", "own-network")]
    [InlineData("1.1.1.1", null)]
    [InlineData("2606:4700::1111", null)]
    public void Judge_ByTheKernelsRoutes_RefusesTheHostsOwnNetworks(string address, string? reason)
    {
        EgressDecision decision = default;
        _network.Run(() => decision = new AddressGuard(new EgressOptions { SocketPath = "/nowhere" }).Judge(IPAddress.Parse(address), 443));

        Assert.Equal(reason, decision.Reason?.Code);
    }

    public void Dispose() => _network.Dispose();

    private static void Ip(string arguments)
    {
        using var process = Process.Start("ip", arguments);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"ip {arguments}");
    }
}
