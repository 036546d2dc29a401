using System.Net;
using Oriel.Egress.Policy;
using Oriel.Linux.Processes;
using Oriel.Linux.Routing;

namespace Oriel.Linux.Tests.Routing;

/// <summary>
/// What the kernel says of a host with global addresses of its own: this program runs <see cref="HostRouteRows"/> in a network namespace of
/// the test's, which an ordinary user only gets with a user namespace, and that is not for a process with threads.
/// </summary>
public sealed class HostRouteTests
{
    private const string Network = """
        link set lo up
        link add name uplink type veth peer name other
        link set other up
        link set uplink up
        address add 5.5.5.5/32 dev lo
        address add 6.6.6.1/24 dev uplink
        address add 2a0a:dead::1/64 dev uplink nodad
        route add default via 6.6.6.254
        route add 7.7.0.0/16 via 6.6.6.253
        route add default via 2a0a:dead::fe
        route add 8.8.8.8 table 77 via 6.6.6.252
        rule add to 8.8.8.8 lookup 77
        route add unreachable 9.9.9.9
        """;

    [Fact]
    public async Task Routes_OfAHostWithGlobalAddresses_AreJudgedAsTheKernelHasThem()
    {
        var rows = new HostProgram(
            "unshare",
            [
                "--user",
                "--map-root-user",
                "--net",
                "sh",
                "-euc",
                $"ip -batch - <<'END'\n{Network}\nEND\nexec \"$@\"",
                "sh",
                Environment.ProcessPath!,
                "-noLogo",
                "-noColor",
                "-explicit",
                "only",
                "-class",
                typeof(HostRouteRows).FullName!,
            ]
        );

        var end = await rows.RunAsync(TestContext.Current.CancellationToken);

        Assert.True(end.Succeeded && end.Output.Contains("Failed: 0", StringComparison.Ordinal), end.Problem + end.Output);
        Assert.Contains("Total: 2,", end.Output);
    }
}

/// <summary>For <see cref="HostRouteTests"/> alone.</summary>
public sealed class HostRouteRows
{
    [Fact(Explicit = true)]
    public void To_AnAddress_IsTheEntryThatMatches()
    {
        Assert.Equal(new(RouteKind.Local, 32), To("127.0.0.1"));
        Assert.Equal(new(RouteKind.Local, 32), To("5.5.5.5"));
        Assert.Equal(new(RouteKind.Local, 32), To("6.6.6.1"));
        Assert.Equal(new(RouteKind.Unicast, 24), To("6.6.6.9"));
        Assert.Equal(new(RouteKind.Several, 32), To("6.6.6.255"));
        Assert.Equal(new(RouteKind.Unicast, 16), To("7.7.1.1"));
        Assert.Equal(new(RouteKind.Unicast, 0), To("1.1.1.1"));
        Assert.Equal(new(RouteKind.Unicast, 32), To("8.8.8.8"));
        Assert.Equal(new(RouteKind.None, 0), To("9.9.9.9"));
        Assert.Equal(new(RouteKind.Local, 128), To("2a0a:dead::1"));
        Assert.Equal(new(RouteKind.Unicast, 64), To("2a0a:dead::9"));
        Assert.Equal(new(RouteKind.Unicast, 0), To("2606:4700::1111"));
    }

    [Fact(Explicit = true)]
    public void Judge_ByTheKernelsRoutes_RefusesTheHostsOwnNetworks()
    {
        var guard = new AddressGuard(new EgressOptions { SocketPath = "/nowhere" });
        string[] own = ["5.5.5.5", "6.6.6.1", "6.6.6.9", "7.7.1.1", "8.8.8.8", "2a0a:dead::1", "2a0a:dead::9", "::ffff:5.5.5.5"];
        string[] others = ["1.1.1.1", "2606:4700::1111"];

        Assert.All(own, address => Assert.Equal(EgressReason.OwnNetwork, guard.Judge(IPAddress.Parse(address), 443).Reason));
        Assert.All(others, address => Assert.True(guard.Judge(IPAddress.Parse(address), 443).Allowed));
    }

    private static HostRoute To(string address) => HostRoute.To(IPAddress.Parse(address));
}
