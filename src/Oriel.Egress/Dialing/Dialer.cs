using System.Net;
using System.Net.Sockets;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Dialing;

/// <summary>A dialled connection, or why there is none.</summary>
internal readonly record struct DialResult(Stream? Stream, Socket? Socket, string? Address, EgressReason? Reason, bool Refused)
{
    public static DialResult Connected(Stream stream, Socket socket, string? address) => new(stream, socket, address, null, false);

    public static DialResult Refuse(EgressReason reason) => new(null, null, null, reason, true);

    public static DialResult Fail(EgressReason reason) => new(null, null, null, reason, false);
}

/// <summary>
/// Resolves a name once, judges each address, and connects to one that was judged: a name that resolves differently the next time
/// (DNS rebinding) is judged again, since nothing resolves it in between.
/// </summary>
internal sealed class Dialer(EgressOptions options, AddressGuard guard)
{
    private const int MaxAddresses = 8;

    public async Task<DialResult> DialAsync(string host, int port, UpstreamProxy? upstream, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(options.ConnectTimeout);
        try
        {
            return upstream is null
                ? await DialDirectAsync(host, port, deadline.Token)
                : await DialUpstreamAsync(host, port, upstream, deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return DialResult.Fail(EgressReason.ConnectTimeout);
        }
    }

    private async Task<DialResult> DialDirectAsync(string host, int port, CancellationToken cancellationToken)
    {
        var (addresses, reason) = await ResolveAsync(host, cancellationToken);
        if (reason is not null)
        {
            return DialResult.Fail(reason);
        }

        var decisions = addresses.Select(address => (Address: address, Decision: guard.Judge(address, port))).ToArray();
        var allowed = decisions.Where(entry => entry.Decision.Allowed).Select(entry => entry.Address).ToArray();
        return allowed.Length == 0
            ? DialResult.Refuse(decisions[0].Decision.Reason!)
            : await ConnectAnyAsync(allowed, port, cancellationToken);
    }

    private async Task<DialResult> DialUpstreamAsync(string host, int port, UpstreamProxy upstream, CancellationToken cancellationToken)
    {
        // A name is resolved by the upstream, which only it can judge; what is an address already is judged here.
        if (IPAddress.TryParse(host, out var literal) && guard.Judge(literal, port) is { Reason: { } refused })
        {
            return DialResult.Refuse(refused);
        }

        if (host == "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal))
        {
            return DialResult.Refuse(EgressReason.PrivateAddress);
        }

        var (addresses, reason) = await ResolveAsync(HostPattern.Normalize(upstream.Host), cancellationToken);
        if (reason is not null)
        {
            return DialResult.Fail(EgressReason.UpstreamFailed);
        }

        if (addresses.Any(address => guard.IsOwnPort(address, upstream.Port)))
        {
            return DialResult.Refuse(EgressReason.OwnPort);
        }

        var dialled = await ConnectAnyAsync(addresses, upstream.Port, cancellationToken);
        if (dialled.Stream is null)
        {
            return DialResult.Fail(EgressReason.UpstreamFailed);
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

    private async Task<(IPAddress[] Addresses, EgressReason? Reason)> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return ([literal], null);
        }

        if (options.Hosts.TryGetValue(host, out var fixedAddress))
        {
            return ([fixedAddress], null);
        }

        try
        {
            var addresses = await System.Net.Dns.GetHostAddressesAsync(host, cancellationToken);
            return addresses.Length == 0 ? ([], EgressReason.NameNotFound) : (addresses[..Math.Min(addresses.Length, MaxAddresses)], null);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return ([], EgressReason.NameNotFound);
        }
    }

    private static async Task<DialResult> ConnectAnyAsync(IPAddress[] addresses, int port, CancellationToken cancellationToken)
    {
        foreach (var address in addresses)
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(address, port, cancellationToken);
                return DialResult.Connected(new NetworkStream(socket, ownsSocket: true), socket, address.ToString());
            }
            catch (SocketException)
            {
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        return DialResult.Fail(EgressReason.ConnectFailed);
    }
}
