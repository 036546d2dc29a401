using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Oriel.Egress.Policy;

/// <summary>
/// Says which addresses no guest may reach: everything that is not globally reachable unicast
/// (IANA special-purpose address registries, RFC 6890), and Oriel's own ports on any address of this host.
/// </summary>
public sealed class AddressGuard(EgressOptions options, TimeProvider clock)
{
    private static readonly TimeSpan OwnAddressLifetime = TimeSpan.FromSeconds(10);

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

    private readonly Lock _lock = new();
    private HashSet<IPAddress> _own = [];
    private long _ownReadAt = long.MinValue;

    /// <summary>Whether a guest may be connected to this address; the reason where it may not.</summary>
    public EgressDecision Judge(IPAddress address, int port)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        if (IsOwnPort(address, port))
        {
            return EgressDecision.Refuse(EgressReason.OwnPort);
        }

        return IsGlobal(address) || options.AllowedPrivate.Any(network => network.Contains(address))
            ? EgressDecision.Allow
            : EgressDecision.Refuse(EgressReason.PrivateAddress);
    }

    /// <summary>Own ports are closed to guests even where the operator opened a private network.</summary>
    public bool IsOwnPort(IPAddress address, int port) =>
        options.OwnPorts().Contains(port)
        && (
            IPAddress.IsLoopback(address)
            || address.Equals(IPAddress.Any)
            || address.Equals(IPAddress.IPv6Any)
            || OwnAddresses().Contains(address)
        );

    internal static bool IsGlobal(IPAddress address) =>
        address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !NotGlobal.Any(network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => GlobalUnicast6.Contains(address) && !NotGlobal6.Any(network => network.Contains(address)),
            _ => false,
        };

    private HashSet<IPAddress> OwnAddresses()
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            if (_ownReadAt == long.MinValue || clock.GetElapsedTime(_ownReadAt, now) > OwnAddressLifetime)
            {
                _own =
                [
                    .. NetworkInterface
                        .GetAllNetworkInterfaces()
                        .SelectMany(nic => nic.GetIPProperties().UnicastAddresses)
                        .Select(entry => entry.Address),
                ];
                _ownReadAt = now;
            }

            return _own;
        }
    }
}
