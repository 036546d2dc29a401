using System.Net;
using System.Net.Sockets;

namespace Oriel.WebRtc.Ice;

/// <summary>Host candidates in SDP syntax (RFC 8839 section 5.1, RFC 6544 section 4.5).</summary>
internal static class IceCandidates
{
    private const uint HostPreference = 126;
    private const uint MaxLocalPreference = 65535;

    // RFC 6544 section 4.2: a passive candidate's direction preference is 4; TCP hosts rank below UDP ones.
    private const uint TcpHostPreference = 90;
    private const uint TcpLocalPreference = (4 << 13) | 8191;

    public static IEnumerable<string> Create(bool udp, bool tcp, IEnumerable<IPAddress> addresses, int port)
    {
        var number = 0u;
        foreach (var address in addresses)
        {
            // IPv6 first (RFC 8421), then in the order given.
            var local = MaxLocalPreference - number - (address.AddressFamily == AddressFamily.InterNetworkV6 ? 0u : 1000u);
            if (udp)
            {
                yield return $"candidate:{(2 * number) + 1} 1 udp {Priority(HostPreference, local)} {address} {port} typ host";
            }

            if (tcp)
            {
                yield return $"candidate:{(2 * number) + 2} 1 tcp {Priority(TcpHostPreference, TcpLocalPreference - number)} {address} {port} typ host tcptype passive";
            }

            number++;
        }
    }

    // RFC 8445 section 5.1.2.1, component 1.
    private static uint Priority(uint type, uint local) => (type << 24) | (local << 8) | 255;
}
