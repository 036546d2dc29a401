using System.Net;
using System.Net.Sockets;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Dialing;

/// <summary>A dialled connection, or why there is none.</summary>
/// <param name="Address">Null where an upstream proxy resolved the name.</param>
internal readonly record struct DialResult(
    Stream? Stream,
    Socket? Socket,
    IPAddress? Address,
    EgressReason? Reason,
    bool Refused,
    string? Rule = null
)
{
    public static DialResult Connected(Stream stream, Socket socket, IPAddress address) => new(stream, socket, address, null, false);

    public static DialResult Refuse(EgressDecision decision) => new(null, null, null, decision.Reason!, true, decision.Rule);

    public static DialResult Refuse(EgressReason reason) => Refuse(EgressDecision.Refuse(reason));

    public static DialResult Fail(EgressReason reason) => new(null, null, null, reason, false);
}

/// <summary>
/// Resolves a name once, judges each address, and connects to one that was judged: a name that resolves differently the next time
/// (DNS rebinding) is judged again, since nothing resolves it in between.
/// </summary>
internal sealed class Dialer(EgressOptions options, AddressGuard guard, NameLookups names)
{
    private const int MaxAddresses = 8;

    /// <param name="desktop">Whose look-ups these are.</param>
    /// <param name="policy">Its rules for networks are asked about each address, and its upstream proxy is taken.</param>
    /// <param name="tunnel">False: a stream to an HTTP upstream itself, for requests in absolute form.</param>
    public async Task<DialResult> DialAsync(
        string desktop,
        string host,
        int port,
        EgressPolicy policy,
        bool tunnel,
        CancellationToken cancellationToken
    )
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(options.ConnectTimeout);
        try
        {
            return policy.Upstream is not { } upstream
                ? await DialDirectAsync(desktop, host, port, policy, deadline.Token)
                : await DialUpstreamAsync(desktop, host, port, upstream, tunnel, deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return DialResult.Fail(EgressReason.ConnectTimeout);
        }
    }

    private async Task<DialResult> DialDirectAsync(
        string desktop,
        string host,
        int port,
        EgressPolicy policy,
        CancellationToken cancellationToken
    )
    {
        var (addresses, reason) = await ResolveAsync(desktop, host, cancellationToken);
        if (reason is not null)
        {
            return DialResult.Fail(reason);
        }

        var decisions = addresses.Select(address => (Address: address, Decision: Judge(host, address, port, policy))).ToArray();
        var allowed = decisions.Where(entry => entry.Decision.Allowed).Select(entry => entry.Address).ToArray();
        return allowed.Length == 0 ? DialResult.Refuse(decisions[0].Decision) : await ConnectAnyAsync(allowed, port, cancellationToken);
    }

    private EgressDecision Judge(string host, IPAddress address, int port, EgressPolicy policy) =>
        guard.Judge(address, port) is { Allowed: false } refused ? refused : policy.EvaluateAddress(host, address, port);

    private async Task<DialResult> DialUpstreamAsync(
        string desktop,
        string host,
        int port,
        UpstreamProxy upstream,
        bool tunnel,
        CancellationToken cancellationToken
    )
    {
        // A name is resolved by the upstream, which only it can judge; what is an address already is judged here.
        if (HostAddress.TryParse(host, out var literal) && guard.Judge(literal, port) is { Allowed: false } refused)
        {
            return DialResult.Refuse(refused);
        }

        if (host == "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal))
        {
            return DialResult.Refuse(EgressReason.PrivateAddress);
        }

        var (addresses, reason) = await ResolveAsync(desktop, HostPattern.Normalize(upstream.Host), cancellationToken);
        if (reason is not null)
        {
            return DialResult.Fail(EgressReason.UpstreamFailed);
        }

        if (addresses.Any(address => guard.IsOwnPort(address, upstream.Port)))
        {
            return DialResult.Refuse(EgressReason.OwnPort);
        }

        // Whoever sets a policy does not thereby get into the host's network.
        var allowed = IsAllowed(upstream) ? addresses : [.. addresses.Where(address => guard.Judge(address, upstream.Port).Allowed)];
        if (allowed.Length == 0)
        {
            return DialResult.Refuse(EgressReason.UpstreamPrivate);
        }

        var dialled = await ConnectAnyAsync(allowed, upstream.Port, cancellationToken);
        if (dialled.Stream is null)
        {
            return DialResult.Fail(EgressReason.UpstreamFailed);
        }

        if (!tunnel && upstream.Type == UpstreamType.Http)
        {
            return dialled with { Address = null };
        }

        try
        {
            var agreed =
                upstream.Type == UpstreamType.Http
                    ? await UpstreamHandshake.ConnectAsync(dialled.Stream, host, port, upstream, cancellationToken)
                    : await UpstreamHandshake.Socks5Async(dialled.Stream, host, port, upstream, cancellationToken);
            if (agreed)
            {
                return dialled with { Address = null };
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // The upstream broke off in the middle of its handshake: the same to us as a refusal.
        }
        catch
        {
            await dialled.Stream.DisposeAsync();
            throw;
        }

        await dialled.Stream.DisposeAsync();
        return DialResult.Fail(EgressReason.UpstreamFailed);
    }

    private bool IsAllowed(UpstreamProxy upstream) =>
        options.AllowedUpstreams.Any(allowed =>
            allowed.Port == upstream.Port && HostPattern.Normalize(allowed.Host) == HostPattern.Normalize(upstream.Host)
        );

    private async Task<(IPAddress[] Addresses, EgressReason? Reason)> ResolveAsync(
        string desktop,
        string host,
        CancellationToken cancellationToken
    )
    {
        if (HostAddress.TryParse(host, out var literal))
        {
            return ([literal], null);
        }

        if (options.Hosts.TryGetValue(host, out var fixedAddress))
        {
            return ([fixedAddress], null);
        }

        try
        {
            var addresses = await names.ResolveAsync(desktop, host, cancellationToken);
            return addresses.Length == 0 ? ([], EgressReason.NameNotFound) : (addresses[..Math.Min(addresses.Length, MaxAddresses)], null);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return ([], EgressReason.NameNotFound);
        }
    }

    private static async Task<DialResult> ConnectAnyAsync(IPAddress[] addresses, int port, CancellationToken cancellationToken) =>
        await ConnectionRace.RunAsync(addresses, port, cancellationToken) is var (socket, address)
            ? DialResult.Connected(new NetworkStream(socket, ownsSocket: true), socket, address)
            : DialResult.Fail(EgressReason.ConnectFailed);
}
