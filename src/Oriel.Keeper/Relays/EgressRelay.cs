using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Oriel.Keeper.Dns;
using Oriel.Linux.Descriptors;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Relays;

/// <summary>
/// The guest's ways out: the proxy port and the port that all other TCP is redirected to. Each connection is handed to the server's egress
/// socket behind one <see cref="EgressPreamble"/> line; the server decides. While it is away nothing gets out.
/// </summary>
internal sealed class EgressRelay(KeeperSpec spec, SyntheticNames names, RelayCounters counters)
{
    /// <summary>
    /// Both kinds together. Chromium opens at most 256 by itself; beyond this the guest is refused, not the keeper starved.
    /// </summary>
    public const int MaxConnections = 1024;

    private const int Backlog = 256;
    private const int MaxDrainedBytes = 64 * 1024;
    private const int LevelIp = 0;
    private const int OriginalDestination = 80;

    private static readonly TimeSpan RefusalDeadline = TimeSpan.FromSeconds(5);
    private static readonly IPAddress Gateway = IPAddress.Parse(GuestNetwork.GatewayAddress);

    private const string AwayText = "Oriel's server is away; connections are refused.\n";
    private static readonly byte[] Away = Encoding.ASCII.GetBytes(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + $"Content-Length: {AwayText.Length}\r\nConnection: close\r\n\r\n{AwayText}"
    );

    private readonly UnixDomainSocketEndPoint _egress = new(spec.EgressSocket);
    private int _open;

    public static Socket Listen(int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(Gateway, port));
        listener.Listen(Backlog);
        return listener;
    }

    public static Socket BindUdp(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(Gateway, port));
        return socket;
    }

    public async Task AcceptProxyAsync(Socket listener, CancellationToken cancellationToken) =>
        await AcceptAsync(listener, socket => HandleProxyAsync(socket, cancellationToken), cancellationToken);

    public async Task AcceptTransparentAsync(Socket listener, CancellationToken cancellationToken) =>
        await AcceptAsync(listener, socket => HandleTransparentAsync(socket, cancellationToken), cancellationToken);

    /// <summary>A sockaddr_in (ip(7)): family in the host's order, port and address in the network's.</summary>
    internal static IPEndPoint ParseSocketAddress(ReadOnlySpan<byte> address) =>
        new(new IPAddress(address.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));

    private async Task AcceptAsync(Socket listener, Func<Socket, Task> handle, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var socket = await listener.AcceptNextAsync(cancellationToken);
            if (Interlocked.Increment(ref _open) > MaxConnections)
            {
                Interlocked.Decrement(ref _open);
                counters.OverLimit();
                SocketRelay.Reset(socket);
                socket.Dispose();
                continue;
            }

            _ = ServeAsync(socket, handle);
        }
    }

    // Not awaited by the accept loop, but never lost: it ends with its socket, and all sockets end with the process.
    private async Task ServeAsync(Socket socket, Func<Socket, Task> handle)
    {
        try
        {
            socket.NoDelay = true;
            await handle(socket);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            SocketRelay.Reset(socket);
        }
        finally
        {
            socket.Dispose();
            Interlocked.Decrement(ref _open);
        }
    }

    private async Task HandleProxyAsync(Socket guest, CancellationToken cancellationToken)
    {
        var preamble = new EgressPreamble(spec.DesktopId, spec.EgressKey, "proxy");
        if (!await TryRelayAsync(guest, preamble, cancellationToken))
        {
            await RefuseAsync(guest, cancellationToken);
        }
    }

    private async Task HandleTransparentAsync(Socket guest, CancellationToken cancellationToken)
    {
        var raw = new byte[16];
        guest.GetRawSocketOption(LevelIp, OriginalDestination, raw);
        var target = ParseSocketAddress(raw);
        using var name = names.Acquire(target.Address);
        if (name.Host is null && SyntheticNames.Contains(target.Address))
        {
            counters.NoTarget();
            SocketRelay.Reset(guest);
            return;
        }

        var preamble = new EgressPreamble(
            spec.DesktopId,
            spec.EgressKey,
            "transparent",
            name.Host,
            target.Address.ToString(),
            target.Port,
            AwaitsVerdict: true
        );
        if (!await TryRelayAsync(guest, preamble, cancellationToken))
        {
            SocketRelay.Reset(guest);
        }
    }

    private async Task<bool> TryRelayAsync(Socket guest, EgressPreamble preamble, CancellationToken cancellationToken)
    {
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await server.ConnectAsync(_egress, cancellationToken);
            await server.SendAsync(LineOf(preamble), SocketFlags.None, cancellationToken);
            if (preamble.AwaitsVerdict && await server.ReceiveAsync(new byte[1], SocketFlags.None, cancellationToken) == 0)
            {
                // Refused by the policy or by the target: what a guest's program expects then is a reset (RFC 9293 section 3.5.2).
                SocketRelay.Reset(guest);
                return true;
            }
        }
        catch (SocketException)
        {
            counters.ServerAway();
            return false;
        }

        counters.Opened();
        var (up, down) = (0L, 0L);
        try
        {
            (up, down) = await SocketRelay.RunAsync(guest, server, cancellationToken);
        }
        finally
        {
            counters.Closed(up, down);
        }

        return true;
    }

    private static byte[] LineOf(EgressPreamble preamble)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(preamble, KeeperJsonContext.Default.EgressPreamble);
        Array.Resize(ref json, json.Length + 1);
        json[^1] = (byte)'\n';
        return json;
    }

    // The answer follows the request's first bytes, and what else was sent is read away: a close with unread bytes would reset the
    // connection, and the guest might never see the answer.
    private static async Task RefuseAsync(Socket guest, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(RefusalDeadline);
        var buffer = new byte[4096];
        if (await guest.ReceiveAsync(buffer, SocketFlags.None, limit.Token) == 0)
        {
            return;
        }

        await guest.SendAsync(Away, SocketFlags.None, limit.Token);
        guest.Shutdown(SocketShutdown.Send);
        for (var drained = 0; drained < MaxDrainedBytes; )
        {
            var count = await guest.ReceiveAsync(buffer, SocketFlags.None, limit.Token);
            if (count == 0)
            {
                return;
            }

            drained += count;
        }
    }
}
