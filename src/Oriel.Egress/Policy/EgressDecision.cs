using Oriel.Protocol;

namespace Oriel.Egress.Policy;

/// <summary>Why a connection was refused or failed; the code is what logs, API and the guest see.</summary>
public sealed record EgressReason(string Code, string Message)
{
    public static readonly EgressReason PolicyNone = new("policy-none", "This desktop's egress policy allows no connections.");
    public static readonly EgressReason PolicyDenied = new("policy-denied", "This desktop's egress policy denies this host.");
    public static readonly EgressReason PolicyNotListed = new(
        "policy-not-listed",
        "This desktop's egress policy does not list this host and port."
    );
    public static readonly EgressReason PolicyChanged = new(
        "policy-changed",
        "The egress policy was changed and no longer allows this connection."
    );
    public static readonly EgressReason PrivateAddress = new(
        "private-address",
        "The host is, or resolves to, a private, local or reserved address."
    );
    public static readonly EgressReason OwnNetwork = new(
        "own-network",
        "The host is, or resolves to, an address of Oriel's host or of a network that it is connected to."
    );
    public static readonly EgressReason OperatorDenied = new("operator-denied", "The operator closed this network (--egress-deny).");
    public static readonly EgressReason UpstreamPrivate = new(
        "upstream-private",
        "The upstream proxy is at a private or local address, and the operator did not allow it (--upstream-allow HOST:PORT)."
    );
    public static readonly EgressReason OwnPort = new("own-port", "The address is Oriel's own.");
    public static readonly EgressReason TooMany = new("too-many-connections", "This desktop has too many open connections.");
    public static readonly EgressReason BadRequest = new(RequestReasons.BadRequest, "The proxy request is malformed.");
    public static readonly EgressReason NameNotFound = new("name-not-found", "The host name does not resolve.");
    public static readonly EgressReason ConnectFailed = new("connect-failed", "The host does not accept the connection.");
    public static readonly EgressReason ConnectTimeout = new("connect-timeout", "The host did not answer in time.");
    public static readonly EgressReason UpstreamFailed = new("upstream-failed", "The upstream proxy refused or failed.");
    public static readonly EgressReason DesktopGone = new(RequestReasons.DesktopGone, "The desktop has ended.");
}

/// <param name="Reason">Null when allowed.</param>
/// <param name="Rule">What in particular refused: the policy's rule, the network, the route. Null where the reason says it all.</param>
public readonly record struct EgressDecision(EgressReason? Reason, string? Rule = null)
{
    public static readonly EgressDecision Allow = new(null);

    public bool Allowed => Reason is null;

    public static EgressDecision Refuse(EgressReason reason, string? rule = null) => new(reason, rule);
}
