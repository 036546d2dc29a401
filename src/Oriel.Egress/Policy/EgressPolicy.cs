using System.Net;
using System.Text.Json.Serialization;

namespace Oriel.Egress.Policy;

/// <summary>What a desktop may reach. Deny wins over allow; private addresses are refused whatever a policy says.</summary>
public sealed record EgressPolicy
{
    /// <summary>Every public address and port.</summary>
    public static readonly EgressPolicy Internet = new();

    /// <summary>Nothing but the canary.</summary>
    public static readonly EgressPolicy None = new() { Mode = EgressMode.None };

    public EgressMode Mode { get; init; } = EgressMode.Internet;

    /// <summary>What <see cref="EgressMode.List"/> allows; unused in the other modes.</summary>
    public IReadOnlyList<EgressRule> Allow
    {
        get;
        init => field = value ?? [];
    } = [];

    // Source-generated JSON sets an init property that the text leaves out to null.
    public IReadOnlyList<EgressRule> Deny
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>The proxy that allowed connections go through; null = dialled from this host.</summary>
    public UpstreamProxy? Upstream { get; init; }

    /// <summary>
    /// Decides by name and port, before anything is resolved. Where only a rule for networks may decide, the answer is to go on, and
    /// <see cref="EvaluateAddress"/> decides.
    /// </summary>
    /// <param name="host">A DNS name or an IP literal, without brackets; letter case and a final dot do not matter.</param>
    public EgressDecision Evaluate(string host, int port) => Evaluate(host, null, port, isLast: Upstream is not null);

    /// <summary>Decides with the address that a name resolved to.</summary>
    /// <param name="address">Null where an upstream proxy resolves the name.</param>
    public EgressDecision EvaluateAddress(string host, IPAddress? address, int port) => Evaluate(host, address, port, isLast: true);

    private EgressDecision Evaluate(string host, IPAddress? address, int port, bool isLast)
    {
        host = HostPattern.Normalize(host);
        address =
            address is not null ? HostAddress.Canonical(address)
            : HostAddress.TryParse(host, out var literal) ? literal
            : null;
        if (Mode == EgressMode.None)
        {
            return EgressDecision.Refuse(EgressReason.PolicyNone);
        }

        if (Deny.FirstOrDefault(rule => rule.Matches(host, address, port)) is { } denying)
        {
            return EgressDecision.Refuse(EgressReason.PolicyDenied, $"deny {denying.Host}");
        }

        var isUndecided = address is null && !isLast && Allow.Any(rule => rule.MayMatchAddress(port));
        return Mode == EgressMode.Internet || isUndecided || Allow.Any(rule => rule.Matches(host, address, port))
            ? EgressDecision.Allow
            : EgressDecision.Refuse(EgressReason.PolicyNotListed);
    }

    /// <summary>What is wrong with a policy that came from outside, or null.</summary>
    public string? Validate()
    {
        const int MaxRules = 1000;
        if (!Enum.IsDefined(Mode))
        {
            return "mode must be internet, list or none";
        }

        if (Allow is null || Deny is null || Allow.Count + Deny.Count > MaxRules)
        {
            return $"allow and deny must be lists with at most {MaxRules} rules together";
        }

        return Allow
                .Concat(Deny)
                .Select(rule => rule is null ? "a rule must not be null" : rule.Validate())
                .FirstOrDefault(error => error is not null)
            ?? Upstream?.Validate();
    }

    /// <summary>The policy as it may be shown: without the upstream's password.</summary>
    public EgressPolicy WithoutSecrets() => this with { Upstream = Upstream is null ? null : Upstream with { Password = null } };
}

[JsonConverter(typeof(JsonStringEnumConverter<EgressMode>))]
public enum EgressMode
{
    [JsonStringEnumMemberName("internet")]
    Internet,

    [JsonStringEnumMemberName("list")]
    List,

    [JsonStringEnumMemberName("none")]
    None,
}

/// <summary>A name pattern or a network, and the ports it holds for.</summary>
/// <param name="Host">
/// A name, an IP literal, or a glob: <c>*.example.org</c> (any depth below, not the name itself), <c>*</c>. Or a network such as
/// <c>192.0.2.0/24</c>, which holds for whatever address a name resolves to.
/// </param>
/// <param name="Ports">Null or empty = every port.</param>
public sealed record EgressRule(string Host, IReadOnlyList<int>? Ports = null)
{
    // An address is a network of one: a name that resolves to it must not pass where it is denied.
    private readonly IPNetwork? _network = NetworkOf(Host);

    internal bool Matches(string normalizedHost, IPAddress? address, int port) =>
        HasPort(port)
        && (_network is { } network ? address is not null && network.Contains(address) : HostPattern.Matches(Host, normalizedHost));

    /// <summary>Whether a name must be resolved to know whether this rule holds; an address alone does not ask for that.</summary>
    internal bool MayMatchAddress(int port) => _network is not null && Host.Contains('/') && HasPort(port);

    internal string? Validate()
    {
        if (_network is null && !HostPattern.IsValid(Host))
        {
            // Quoted in part: a reason is read by people, and the text came from outside.
            const int Quoted = 64;
            return $"'{(Host is { Length: > Quoted } ? Host[..Quoted] + "…" : Host)}' is not a host name, an IP address, a network such as 192.0.2.0/24 or a glob such as *.example.org";
        }

        return Ports?.Any(port => port is < 1 or > 65535) == true ? $"the ports of '{Host}' must be 1 to 65535" : null;
    }

    private bool HasPort(int port) => Ports is null || Ports.Count == 0 || Ports.Contains(port);

    private static IPNetwork? NetworkOf(string? host)
    {
        if (host is null || HostAddress.HasZone(host))
        {
            return null;
        }

        if (HostAddress.TryParse(HostPattern.Normalize(host), out var address))
        {
            return new IPNetwork(address, address.GetAddressBytes().Length * 8);
        }

        return IPNetwork.TryParse(host, out var network) && !network.BaseAddress.IsIPv4MappedToIPv6 ? network : null;
    }
}

[JsonConverter(typeof(JsonStringEnumConverter<UpstreamType>))]
public enum UpstreamType
{
    [JsonStringEnumMemberName("http")]
    Http,

    [JsonStringEnumMemberName("socks5")]
    Socks5,
}

/// <summary>An HTTP CONNECT (RFC 9110 section 9.3.6) or SOCKS5 (RFC 1928, 1929) proxy.</summary>
public sealed record UpstreamProxy(UpstreamType Type, string Host, int Port, string? Username = null, string? Password = null)
{
    internal string? Validate()
    {
        const int MaxCredential = 255; // RFC 1929: one length byte
        if (!Enum.IsDefined(Type))
        {
            return "the upstream's type must be http or socks5";
        }

        if (!HostPattern.IsValid(Host) || Host.Contains('*'))
        {
            return "the upstream's host must be a name or an IP address";
        }

        if (Port is < 1 or > 65535)
        {
            return "the upstream's port must be 1 to 65535";
        }

        var bad = new[] { Username, Password }.Any(text => text is not null && (text.Length > MaxCredential || text.Any(char.IsControl)));
        return bad || (Username?.Contains(':') == true && Type == UpstreamType.Http)
            ? "the upstream's credentials must be at most 255 characters without control characters (and no colon in the user name)"
            : null;
    }

    /// <summary>Never shows the password, so that a logged policy holds no secret.</summary>
    public override string ToString() => $"{Type} {Host}:{Port}";
}
