using Oriel.Protocol;

namespace Oriel.Keeper.Network;

/// <summary>
/// The keeper's end of the guest's link. Addresses and MACs are the same in every desktop, as each is in a namespace of its own; a guest
/// restored from a snapshot therefore finds the neighbour that it knew.
/// </summary>
internal static class GatewayLink
{
    public const string GatewayMac = "02:6f:72:69:65:01";
    public const string GuestMac = "02:6f:72:69:65:02";

    private static readonly string[] Settings =
    [
        "/proc/sys/net/ipv6/conf/all/disable_ipv6",
        "1",
        "/proc/sys/net/ipv6/conf/default/disable_ipv6",
        "1",
        "/proc/sys/net/ipv4/ip_forward",
        "0",
        "/proc/sys/net/ipv4/conf/all/rp_filter",
        "1",
        "/proc/sys/net/ipv4/conf/all/accept_redirects",
        "0",
        "/proc/sys/net/ipv4/conf/all/arp_ignore",
        "1",
    ];

    /// <summary>For the namespace of the calling thread; must precede the first link.</summary>
    public static void ApplySettings()
    {
        for (var i = 0; i < Settings.Length; i += 2)
        {
            // A kernel without IPv6 has no such file, and nothing to switch off.
            if (File.Exists(Settings[i]))
            {
                File.WriteAllText(Settings[i], Settings[i + 1]);
            }
        }
    }

    /// <summary>Gives <see cref="Firewall.Link"/>, which the driver has made, its address, and takes it up.</summary>
    /// <exception cref="InvalidOperationException">ip failed, or did nothing.</exception>
    public static async Task ConfigureAsync(CancellationToken cancellationToken)
    {
        var seen = await new HostProgram("ip", "-batch", "-")
        {
            Input = $"""
                link set lo up
                address add {GuestNetwork.GatewayAddress}/{GuestNetwork.PrefixLength} dev {Firewall.Link}
                link set {Firewall.Link} up
                neighbour replace {GuestNetwork.GuestAddress} lladdr {GuestMac} dev {Firewall.Link} nud permanent
                address show dev {Firewall.Link}

                """,
        }.OutputAsync(cancellationToken);
        RequireAddress(seen, GuestNetwork.GatewayAddress);
    }

    /// <param name="seen">What <c>ip address show</c> printed after the address was added.</param>
    /// <exception cref="InvalidOperationException">It is not there.</exception>
    public static void RequireAddress(string seen, string address)
    {
        if (!seen.Contains($"{address}/{GuestNetwork.PrefixLength}", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"ip reported success but did not set {address}");
        }
    }
}
