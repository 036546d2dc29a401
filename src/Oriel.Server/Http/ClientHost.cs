using System.Net;
using System.Net.Sockets;

namespace Oriel.Server.Http;

/// <summary>Whom bounds of one address count as one.</summary>
internal static class ClientHost
{
    private const int NetworkBytes = 8;

    /// <summary>
    /// The address; of IPv6 its /64 network, as a host with one address of it has all of them (RFC 4291 section 2.5.4). An IPv4 address is
    /// itself, also as IPv6 spells it.
    /// </summary>
    public static IPAddress Of(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[NetworkBytes..].Clear();
        return new IPAddress(bytes);
    }
}
