using System.Net;
using System.Net.Sockets;

namespace Oriel.WebRtc.Ice;

/// <summary>Counts TCP connections that no valid check has claimed yet, in total and by source address. Safe for concurrent use.</summary>
internal sealed class PendingTcp(int most, int mostFromOne)
{
    /// <summary>Half of an IPv6 address: a host with one address of a /64 network has all of them (RFC 4291 section 2.5.4).</summary>
    private const int NetworkBytes = 8;

    private readonly Dictionary<IPAddress, int> _from = [];
    private int _all;

    public bool TryEnter(IPAddress address)
    {
        var source = SourceOf(address);
        lock (_from)
        {
            var fromHere = _from.GetValueOrDefault(source);
            if (_all >= most || fromHere >= mostFromOne)
            {
                return false;
            }

            _all++;
            _from[source] = fromHere + 1;
            return true;
        }
    }

    /// <summary>Call once for each successful <see cref="TryEnter"/>.</summary>
    public void Leave(IPAddress address)
    {
        var source = SourceOf(address);
        lock (_from)
        {
            _all--;
            if (--_from[source] == 0)
            {
                _from.Remove(source);
            }
        }
    }

    private static IPAddress SourceOf(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(NetworkBytes).Clear();
        return new IPAddress(bytes);
    }
}
