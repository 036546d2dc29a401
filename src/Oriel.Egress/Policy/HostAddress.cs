using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Oriel.Egress.Policy;

/// <summary>
/// The one form in which egress compares addresses: IPv4-mapped IPv6 as IPv4, and without a zone id (RFC 4007), which no guest may choose.
/// </summary>
internal static class HostAddress
{
    /// <summary>
    /// Reads an IP literal in any spelling that a resolver would take (<c>127.1</c>, <c>0x7f000001</c>, <c>::ffff:7f00:1</c>). Without
    /// brackets. False for a name, and for a literal with a zone id.
    /// </summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (HasZone(text) || !IPAddress.TryParse(text, out var parsed))
        {
            return false;
        }

        address = Canonical(parsed);
        return true;
    }

    public static IPAddress Canonical(IPAddress address) =>
        address.IsIPv4MappedToIPv6 ? address.MapToIPv4()
        : address.AddressFamily == AddressFamily.InterNetworkV6 && address.ScopeId != 0 ? new IPAddress(address.GetAddressBytes())
        : address;

    /// <summary>No host name holds a percent sign, so one that does is meant as a zone.</summary>
    public static bool HasZone(string text) => text.Contains('%');
}
