using System.Globalization;
using System.Net;

namespace Oriel.Keeper.Dns;

/// <summary>Which names Oriel's DNS gives a synthetic address to.</summary>
public static class DnsName
{
    /// <summary>RFC 1035 section 2.3.4, without the root's dot.</summary>
    public const int MaxLength = 253;

    public const int MaxLabelLength = 63;

    private const string ReverseSuffix = ".in-addr.arpa";

    // RFC 6761, 6762, 7686, 9476: names that must not be asked of the DNS. `internal` is not among them: the canary's name ends in it.
    private static readonly string[] NeverResolved = ["localhost", "local", "onion", "invalid", "alt", "arpa"];

    /// <summary>
    /// Whether a lower-case name is one of a host on a network: letters, digits, hyphens and underscores, at least two labels, the last
    /// not a number (an address is not a name), and none of those kept for other uses.
    /// </summary>
    public static bool IsResolvable(ReadOnlySpan<char> name)
    {
        if (name.IsEmpty || name.Length > MaxLength)
        {
            return false;
        }

        var labels = 0;
        var last = default(ReadOnlySpan<char>);
        foreach (var range in name.Split('.'))
        {
            last = name[range];
            labels++;
            if (!IsLabel(last))
            {
                return false;
            }
        }

        return labels > 1 && last.ContainsAnyInRange('a', 'z') && Array.IndexOf(NeverResolved, last.ToString()) < 0;
    }

    /// <summary>
    /// The address that a name such as <c>4.3.18.198.in-addr.arpa</c> asks about (RFC 1035 section 3.5); null for any other name.
    /// </summary>
    public static IPAddress? ReverseAddress(string name)
    {
        if (!name.EndsWith(ReverseSuffix, StringComparison.Ordinal))
        {
            return null;
        }

        var parts = name[..^ReverseSuffix.Length].Split('.');
        if (parts.Length != 4)
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[4];
        for (var i = 0; i < 4; i++)
        {
            if (!byte.TryParse(parts[3 - i], NumberStyles.None, CultureInfo.InvariantCulture, out bytes[i]))
            {
                return null;
            }
        }

        return new IPAddress(bytes);
    }

    private static bool IsLabel(ReadOnlySpan<char> label)
    {
        if (label.IsEmpty || label.Length > MaxLabelLength)
        {
            return false;
        }

        foreach (var character in label)
        {
            if (character is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '_'))
            {
                return false;
            }
        }

        return true;
    }
}
