using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Routing;

/// <summary>The kinds of a route that callers tell apart (rtnetlink(7), rtm_type).</summary>
public enum RouteKind
{
    /// <summary>No route leads there, or one that refuses.</summary>
    None,

    /// <summary>To another host.</summary>
    Unicast,

    /// <summary>This host itself.</summary>
    Local,

    /// <summary>Broadcast, multicast or anycast.</summary>
    Several,
}

/// <summary>The route that this host would take to an address.</summary>
/// <param name="PrefixLength">Of the entry that matched: 0 for a default route.</param>
public readonly record struct HostRoute(RouteKind Kind, int PrefixLength)
{
    /// <summary>
    /// Asks the kernel as <c>ip route get fibmatch</c> does, so that policy rules and every table count (rtnetlink(7), RTM_GETROUTE).
    /// </summary>
    /// <exception cref="LinuxException">The kernel cannot be asked.</exception>
    public static HostRoute To(IPAddress address)
    {
        Span<byte> message = stackalloc byte[1024];
        using var socket = new OwnedDescriptor(
            LinuxException.ThrowIfNegative(
                SocketCalls.Socket(SocketCalls.FamilyNetlink, SocketCalls.Datagram | SocketCalls.CloseOnExec, SocketCalls.NetlinkRoute),
                "socket",
                "netlink"
            )
        );
        var request = RouteMessage.WriteRequest(message, address);
        if (Fd.Write(socket.Value, message[..request], out var errno) < 0)
        {
            throw new LinuxException("write", errno, "netlink");
        }

        var length = Fd.Read(socket.Value, message, out errno);
        return length < 0
            ? throw new LinuxException("read", errno, "netlink")
            : RouteMessage.ReadReply(message[..length], MaxPrefix(address));
    }

    private static int MaxPrefix(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
}

/// <summary>The two messages of a look-up: an RTM_GETROUTE, and an RTM_NEWROUTE or an error (netlink(7), rtnetlink(7)).</summary>
internal static class RouteMessage
{
    private const int HeaderLength = 16;
    private const int RouteLength = 12;
    private const int AttributeHeader = 4;
    private const ushort Error = 2;
    private const ushort NewRoute = 24;
    private const ushort GetRoute = 26;
    private const ushort Request = 1;
    private const ushort Destination = 1;
    private const uint LookupTable = 0x1000;
    private const uint FibMatch = 0x2000;
    private const byte FamilyInet = 2;
    private const byte FamilyInet6 = 10;

    /// <returns>The message's length.</returns>
    public static int WriteRequest(Span<byte> message, IPAddress address)
    {
        var isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        var addressLength = isV4 ? 4 : 16;
        var length = HeaderLength + RouteLength + AttributeHeader + addressLength;
        message = message[..length];
        message.Clear();
        Write(message, (uint)length);
        Write(message[4..], GetRoute);
        Write(message[6..], Request);
        var route = message[HeaderLength..];
        route[0] = isV4 ? FamilyInet : FamilyInet6;
        route[1] = (byte)(addressLength * 8);
        Write(route[8..], LookupTable | FibMatch);
        var attribute = route[RouteLength..];
        Write(attribute, (ushort)(AttributeHeader + addressLength));
        Write(attribute[2..], Destination);
        address.TryWriteBytes(attribute[AttributeHeader..], out _);
        return length;
    }

    /// <exception cref="LinuxException">The kernel refused to say.</exception>
    public static HostRoute ReadReply(ReadOnlySpan<byte> message, int maxPrefix)
    {
        if (message.Length < HeaderLength + 4)
        {
            throw new LinuxException("read", Errno.EIO, "netlink");
        }

        switch (MemoryMarshal.Read<ushort>(message[4..]))
        {
            case Error:
                var errno = -MemoryMarshal.Read<int>(message[HeaderLength..]);
                return errno is Errno.ENETUNREACH or Errno.EHOSTUNREACH or Errno.EACCES or Errno.EINVAL
                    ? new HostRoute(RouteKind.None, 0)
                    : throw new LinuxException("RTM_GETROUTE", errno);
            case NewRoute when message.Length >= HeaderLength + RouteLength:
                var prefix = message[HeaderLength + 1];
                var kind = message[HeaderLength + 7] switch
                {
                    1 => RouteKind.Unicast,
                    2 => RouteKind.Local,
                    3 or 4 or 5 => RouteKind.Several,
                    _ => RouteKind.None,
                };
                return prefix <= maxPrefix ? new HostRoute(kind, prefix) : throw new LinuxException("RTM_GETROUTE", Errno.EIO);
            default:
                throw new LinuxException("RTM_GETROUTE", Errno.EIO);
        }
    }

    // Netlink is in the machine's own byte order.
    private static void Write<T>(Span<byte> at, T value)
        where T : struct => MemoryMarshal.Write(at, in value);
}
