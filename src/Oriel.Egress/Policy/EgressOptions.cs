using System.Net;

namespace Oriel.Egress.Policy;

/// <summary>What the operator, never a guest or a policy, decides about egress.</summary>
public sealed record EgressOptions
{
    /// <summary>Path of the unix socket that keepers hand connections to; created 0600.</summary>
    public required string SocketPath { get; init; }

    /// <summary>Networks that are not global but that desktops may reach all the same, such as an intranet. Default: none.</summary>
    public IReadOnlyList<IPNetwork> AllowedPrivate { get; init; } = [];

    /// <summary>Networks that no desktop may reach, whatever its policy says. Default: none.</summary>
    public IReadOnlyList<IPNetwork> Denied { get; init; } = [];

    /// <summary>Addresses that reach this host though it does not have them, as behind NAT. Default: none.</summary>
    public IReadOnlyList<IPAddress> PublicAddresses { get; init; } = [];

    /// <summary>Upstream proxies, host and port, that may be at a private or local address. Default: none.</summary>
    public IReadOnlyList<DnsEndPoint> AllowedUpstreams { get; init; } = [];

    /// <summary>Names that resolve to fixed addresses, before DNS is asked (as /etc/hosts). Default: none.</summary>
    public IReadOnlyDictionary<string, IPAddress> Hosts { get; init; } = new Dictionary<string, IPAddress>();

    /// <summary>The ports that Oriel itself listens on at present; always refused on any address of this host.</summary>
    public Func<IReadOnlyCollection<int>> OwnPorts { get; init; } = () => [];

    /// <summary>Open connections of one desktop. Default 512.</summary>
    public int MaxConnectionsPerDesktop { get; init; } = 512;

    /// <summary>Default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may take to send a request's head, and a keep-alive connection may stay idle. Default 60 s.</summary>
    public TimeSpan HeadTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a target may take to begin its answer, counted from the last byte either way. Default 15 min.</summary>
    public TimeSpan ResponseTimeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a connection may carry nothing. Default 124 min (RFC 5382 REQ-5, as for a NAT).</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(124);

    /// <summary>The same once one side has ended its direction. Default 4 min (RFC 5382 REQ-5).</summary>
    public TimeSpan HalfClosedTimeout { get; init; } = TimeSpan.FromMinutes(4);

    /// <summary>Entries kept in each desktop's log. Default 1000.</summary>
    public int LogCapacity { get; init; } = 1000;
}
