using System.Buffers.Binary;
using System.Net;
using System.Text;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Dialing;

/// <summary>
/// The client's side of the two proxy protocols that lead to an upstream; each ends with the stream at the target's first byte.
/// </summary>
internal static class UpstreamHandshake
{
    private const int MaxReplyBytes = 16 * 1024;

    /// <summary>HTTP CONNECT, RFC 9110 section 9.3.6, with Basic credentials (RFC 7617) where there are some.</summary>
    public static async Task<bool> ConnectAsync(
        Stream stream,
        string host,
        int port,
        UpstreamProxy upstream,
        CancellationToken cancellationToken
    )
    {
        var authority = $"{HostPattern.InAuthority(host)}:{port}";
        var request = new StringBuilder($"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if (Credentials(upstream) is { } credentials)
        {
            request.Append("Proxy-Authorization: ").Append(credentials).Append("\r\n");
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(request.Append("\r\n").ToString()), cancellationToken);
        var head = await ReadHeadBytewiseAsync(stream, cancellationToken);
        return head is not null && head.StartsWith("HTTP/1.", StringComparison.Ordinal) && head.Length > 12 && head.AsSpan(8, 2) is " 2";
    }

    /// <summary>The value of Proxy-Authorization; null where the upstream wants none.</summary>
    public static string? Credentials(UpstreamProxy upstream) =>
        upstream.Username is null
            ? null
            : "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{upstream.Username}:{upstream.Password}"));

    /// <summary>SOCKS5 CONNECT by name, RFC 1928, with user name and password by RFC 1929.</summary>
    public static async Task<bool> Socks5Async(
        Stream stream,
        string host,
        int port,
        UpstreamProxy upstream,
        CancellationToken cancellationToken
    )
    {
        const byte Version = 5,
            NoAuthentication = 0,
            UserPassword = 2;
        var withPassword = upstream.Username is not null;
        await stream.WriteAsync(
            withPassword ? new byte[] { Version, 2, NoAuthentication, UserPassword } : [Version, 1, NoAuthentication],
            cancellationToken
        );
        var reply = new byte[262];
        await stream.ReadExactlyAsync(reply.AsMemory(0, 2), cancellationToken);
        if (reply[0] != Version || !(reply[1] == NoAuthentication || (withPassword && reply[1] == UserPassword)))
        {
            return false;
        }

        if (reply[1] == UserPassword && !await AuthenticateAsync(stream, upstream, cancellationToken))
        {
            return false;
        }

        await stream.WriteAsync(Socks5Request(host, port), cancellationToken);
        await stream.ReadExactlyAsync(reply.AsMemory(0, 5), cancellationToken);
        if (reply[0] != Version || reply[1] != 0)
        {
            return false;
        }

        // The bound address is of no interest but must be read away: 4, 16 or (length byte) n bytes, then the port.
        var rest = reply[3] switch
        {
            1 => 4 - 1,
            4 => 16 - 1,
            3 => reply[4],
            _ => -1,
        };
        if (rest < 0)
        {
            return false;
        }

        await stream.ReadExactlyAsync(reply.AsMemory(0, rest + 2), cancellationToken);
        return true;
    }

    private static async Task<bool> AuthenticateAsync(Stream stream, UpstreamProxy upstream, CancellationToken cancellationToken)
    {
        var user = Encoding.UTF8.GetBytes(upstream.Username ?? "");
        var password = Encoding.UTF8.GetBytes(upstream.Password ?? "");
        if (user.Length > 255 || password.Length > 255)
        {
            return false;
        }

        byte[] message = [1, (byte)user.Length, .. user, (byte)password.Length, .. password];
        await stream.WriteAsync(message, cancellationToken);
        var reply = new byte[2];
        await stream.ReadExactlyAsync(reply, cancellationToken);
        return reply[1] == 0;
    }

    private static byte[] Socks5Request(string host, int port)
    {
        const byte ByIPv4 = 1,
            ByName = 3,
            ByIPv6 = 4;
        byte[] target = HostAddress.TryParse(host, out var address)
            ? [address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? ByIPv4 : ByIPv6, .. address.GetAddressBytes()]
            : [ByName, (byte)host.Length, .. Encoding.ASCII.GetBytes(host)];
        byte[] request = [5, 1, 0, .. target, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(request.Length - 2), (ushort)port);
        return request;
    }

    /// <summary>Byte by byte, so that nothing of the tunnel is read past the head's end.</summary>
    private static async Task<string?> ReadHeadBytewiseAsync(Stream stream, CancellationToken cancellationToken)
    {
        var head = new List<byte>(256);
        var one = new byte[1];
        while (head.Count < MaxReplyBytes && await stream.ReadAsync(one, cancellationToken) == 1)
        {
            head.Add(one[0]);
            if (head.Count >= 4 && head[^1] == '\n' && head[^2] == '\r' && head[^3] == '\n' && head[^4] == '\r')
            {
                return Encoding.Latin1.GetString([.. head]);
            }
        }

        return null;
    }
}
