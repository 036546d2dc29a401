namespace Oriel.Egress.Policy;

/// <summary>Host names and the globs that match them.</summary>
internal static class HostPattern
{
    private const int MaxNameLength = 253; // RFC 1035 section 2.3.4, without the root's dot

    /// <summary>Lower case, without a final dot, IPv6 without brackets and in its shortest form, IPv4-mapped IPv6 as IPv4.</summary>
    public static string Normalize(string host)
    {
        host = host.Trim().TrimEnd('.').ToLowerInvariant();
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
        }

        return HostAddress.TryParse(host, out var address) ? address.ToString() : host;
    }

    /// <summary>A normalised host as an authority has it: an IPv6 address in brackets (RFC 3986 section 3.2.2).</summary>
    public static string InAuthority(string host) => host.Contains(':') ? $"[{host}]" : host;

    public static bool IsValid(string? pattern)
    {
        if (string.IsNullOrEmpty(pattern) || pattern.Length > MaxNameLength + 2)
        {
            return false;
        }

        if (pattern == "*")
        {
            return true;
        }

        var name = pattern.StartsWith("*.", StringComparison.Ordinal) ? pattern[2..] : pattern;
        return IsHostName(Normalize(name));
    }

    /// <summary>
    /// A DNS name or an IP literal, already normalised. Labels as names are found in use: letters, digits, underscores, and hyphens
    /// anywhere (RFC 2181 section 11).
    /// </summary>
    public static bool IsHostName(string host)
    {
        if (host.Length is 0 or > MaxNameLength)
        {
            return false;
        }

        if (HostAddress.TryParse(host, out _))
        {
            return true;
        }

        return host.Split('.')
            .All(label => label.Length is > 0 and <= 63 && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
    }

    /// <param name="host">Normalised.</param>
    public static bool Matches(string pattern, string host)
    {
        if (pattern == "*")
        {
            return true;
        }

        return pattern.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(Normalize(pattern[1..]), StringComparison.Ordinal)
            : host == Normalize(pattern);
    }
}
