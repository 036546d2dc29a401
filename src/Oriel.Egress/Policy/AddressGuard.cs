using System.Net;
using System.Net.Sockets;
using Oriel.Linux.Routing;

namespace Oriel.Egress.Policy;

/// <summary>
/// Says which addresses no guest may reach: everything that is not globally reachable unicast (IANA special-purpose address registries,
/// RFC 6890); this host and its links, by whatever address; what the platform below answers at; and Oriel's own ports.
/// </summary>
/// <param name="routeTo">The route that this host takes to an address; null = as the kernel says at that moment.</param>
public sealed class AddressGuard(EgressOptions options, Func<IPAddress, HostRoute>? routeTo = null)
{
    /// <summary>
    /// Longest prefix that still counts as a default route: 0.0.0.0/1 and 128.0.0.0/1 are how a VPN takes the default over; 2000::/3 is all
    /// of IPv6's global unicast.
    /// </summary>
    private const int MaxDefaultPrefix4 = 1;
    private const int MaxDefaultPrefix6 = 3;

    private static readonly IPNetwork[] NotGlobal =
    [
        .. new[]
        {
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        }.Select(text => IPNetwork.Parse(text)),
    ];

    private static readonly IPNetwork GlobalUnicast6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] NotGlobal6 =
    [
        .. new[] { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48" }.Select(text => IPNetwork.Parse(text)),
    ];

    /// <summary>
    /// Global by number, but answered by the platform that this host may run on, and to it alone: Azure's wire server, IBM Cloud's
    /// private services.
    /// </summary>
    private static readonly IPNetwork[] PlatformServices =
    [
        .. new[] { "168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14" }.Select(text => IPNetwork.Parse(text)),
    ];

    /// <summary>Whether a guest may be connected to this address; the reason and the rule where it may not.</summary>
    public EgressDecision Judge(IPAddress address, int port)
    {
        address = HostAddress.Canonical(address);
        if (IsOwnPort(address, port))
        {
            return EgressDecision.Refuse(EgressReason.OwnPort, $"port {port}");
        }

        if (Find(options.Denied, address) is { } denied)
        {
            return EgressDecision.Refuse(EgressReason.OperatorDenied, $"--egress-deny {denied}");
        }

        if (Find(options.AllowedPrivate, address) is not null)
        {
            return EgressDecision.Allow;
        }

        if (!IsGlobal(address))
        {
            return EgressDecision.Refuse(EgressReason.PrivateAddress);
        }

        if (Find(PlatformServices, address) is { } platform)
        {
            return EgressDecision.Refuse(EgressReason.PrivateAddress, platform.ToString());
        }

        return JudgeRoute(address);
    }

    /// <summary>Own ports are closed to guests even where the operator opened a private network.</summary>
    public bool IsOwnPort(IPAddress address, int port)
    {
        address = HostAddress.Canonical(address);
        return options.OwnPorts().Contains(port) && IsThisHost(address);
    }

    internal static bool IsGlobal(IPAddress address) =>
        address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !NotGlobal.Any(network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => GlobalUnicast6.Contains(address) && !NotGlobal6.Any(network => network.Contains(address)),
            _ => false,
        };

    private EgressDecision JudgeRoute(IPAddress address)
    {
        if (options.PublicAddresses.Contains(address))
        {
            return EgressDecision.Refuse(EgressReason.OwnNetwork, $"--public-address {address}");
        }

        var route = RouteTo(address);
        var longest = address.AddressFamily == AddressFamily.InterNetwork ? MaxDefaultPrefix4 : MaxDefaultPrefix6;
        return route.Kind switch
        {
            RouteKind.None => EgressDecision.Allow, // the dial says that there is no way
            RouteKind.Unicast when route.PrefixLength <= longest => EgressDecision.Allow,
            RouteKind.Local => EgressDecision.Refuse(EgressReason.OwnNetwork, "this host"),
            _ => EgressDecision.Refuse(EgressReason.OwnNetwork, $"route {new IPNetwork(address, route.PrefixLength)}"),
        };
    }

    private bool IsThisHost(IPAddress address) =>
        IPAddress.IsLoopback(address)
        || address.Equals(IPAddress.Any)
        || address.Equals(IPAddress.IPv6Any)
        || options.PublicAddresses.Contains(address)
        || RouteTo(address).Kind == RouteKind.Local;

    private HostRoute RouteTo(IPAddress address) => routeTo is null ? HostRoute.To(address) : routeTo(address);

    private static IPNetwork? Find(IEnumerable<IPNetwork> networks, IPAddress address)
    {
        foreach (var network in networks)
        {
            if (network.Contains(address))
            {
                return network;
            }
        }

        return null;
    }
}
