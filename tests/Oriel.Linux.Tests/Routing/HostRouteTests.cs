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
        Assert.Contains("Total: 18,", end.Output);
    }
}

/// <summary>For <see cref="HostRouteTests"/> alone.</summary>
public sealed class HostRouteRows
{
    [Theory(Explicit = true)]
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
    public void To_AnAddress_IsTheEntryThatMatches(string address, RouteKind kind, int prefix) =>
        Assert.Equal(new HostRoute(kind, prefix), HostRoute.To(IPAddress.Parse(address)));

    [Theory(Explicit = true)]
    [InlineData("5.5.5.5", "own-network")]
    [InlineData("2a0a:dead::1", "own-network")]
    [InlineData("2a0a:dead::9", "own-network")]
    [InlineData("7.7.1.1", "own-network")]
    [InlineData("1.1.1.1", null)]
    [InlineData("2606:4700::1111", null)]
    public void Judge_ByTheKernelsRoutes_RefusesTheHostsOwnNetworks(string address, string? reason) =>
        Assert.Equal(
            reason,
            new AddressGuard(new EgressOptions { SocketPath = "/nowhere" }).Judge(IPAddress.Parse(address), 443).Reason?.Code
        );
}
