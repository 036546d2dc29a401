using System.Globalization;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Proxy;

/// <summary>What a client asks a proxy for: CONNECT with an authority, or a method with an absolute URI (RFC 9112 section 3.2).</summary>
internal sealed record HttpRequestHead(HttpHead Head, string Method, string Host, int Port, string OriginForm)
{
    private const int HttpPort = 80;

    public bool IsConnect => Method == "CONNECT";

    /// <summary>Knows neither chunks nor interim responses, and gets no second request on its connection.</summary>
    public bool IsOld => Head.StartLine.EndsWith("HTTP/1.0", StringComparison.Ordinal);

    public bool IsUpgrade => !IsOld && Head.HasToken("Connection", "upgrade") && Head.Values("Upgrade").Any();

    /// <summary>May be sent a second time when the first may not have arrived (RFC 9110 section 9.2.2).</summary>
    public bool IsIdempotent => Method is "GET" or "HEAD" or "OPTIONS" or "TRACE" or "PUT" or "DELETE";

    /// <summary>Of the URI, as Host names it: without http's own port.</summary>
    public string Authority => HostPattern.InAuthority(Host) + (Port == HttpPort ? "" : $":{Port}");

    /// <summary>The request target for another proxy.</summary>
    public string AbsoluteForm => $"http://{Authority}{(OriginForm == "*" ? "" : OriginForm)}";

    /// <summary>How many more proxies an OPTIONS or TRACE may pass (RFC 9110 section 7.6.2); null without a bound.</summary>
    public long? MaxForwards =>
        Method is "OPTIONS" or "TRACE"
        && long.TryParse(Head.Values("Max-Forwards").FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var left)
            ? left
            : null;

    public bool WantsClose => Head.HasToken("Connection", "close") || Head.HasToken("Proxy-Connection", "close") || IsOld;

    public static HttpRequestHead Parse(ReadOnlySpan<byte> bytes)
    {
        var head = HttpHead.Parse(bytes);
        var parts = head.StartLine.Split(' ');
        if (parts.Length != 3 || parts[2] is not ("HTTP/1.1" or "HTTP/1.0") || parts[0].Length == 0 || !parts[0].All(HttpHead.IsTokenChar))
        {
            throw new HttpFormatException("the request line is malformed");
        }

        CheckHost(head, parts[2]);
        if (parts[0] == "CONNECT")
        {
            var (host, port) = ParseAuthority(parts[1], defaultPort: null);
            return new HttpRequestHead(head, parts[0], host, port, "");
        }

        const string Scheme = "http://";
        if (!parts[1].StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw new HttpFormatException("a proxy needs a request with an absolute http:// URI, or CONNECT");
        }

        var rest = parts[1][Scheme.Length..].Split('#')[0];
        var end = rest.AsSpan().IndexOfAny("/?");
        var authority = end < 0 ? rest : rest[..end];

        // Of the server as a whole: RFC 9112 section 3.2.4.
        var whole = parts[0] == "OPTIONS" ? "*" : "/";
        var path =
            end < 0 ? whole
            : rest[end] == '/' ? rest[end..]
            : "/" + rest[end..];
        var (name, number) = ParseAuthority(authority, defaultPort: HttpPort);
        return new HttpRequestHead(head, parts[0], name, number, path);
    }

    /// <summary><c>host:port</c>, <c>[v6]:port</c>; user information is refused, since it only ever hides the host.</summary>
    internal static (string Host, int Port) ParseAuthority(string authority, int? defaultPort)
    {
        var colon = authority.LastIndexOf(':');
        var hasPort = colon >= 0 && !(authority.EndsWith(']'));
        var host = hasPort ? authority[..colon] : authority;
        var portText = hasPort ? authority[(colon + 1)..] : "";
        int port;
        if (portText.Length == 0)
        {
            port = defaultPort ?? throw new HttpFormatException("the authority has no port");
        }
        else if (!int.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535)
        {
            throw new HttpFormatException("the port is not a number from 1 to 65535");
        }

        var normalized = HostPattern.Normalize(host);
        if (!HostPattern.IsHostName(normalized) || (normalized.Contains(':') && !host.StartsWith('[')))
        {
            throw new HttpFormatException("the host is neither a name nor an address");
        }

        return (normalized, port);
    }

    /// <summary>RFC 9112 section 3.2: one Host, which HTTP/1.0 may lack. What it says is not used: the target is absolute.</summary>
    private static void CheckHost(HttpHead head, string version)
    {
        var hosts = head.Values("Host").ToArray();
        if (hosts.Length > 1 || (hosts.Length == 0 && version == "HTTP/1.1"))
        {
            throw new HttpFormatException("the request has no Host field, or several");
        }

        if (hosts is [{ Length: > 0 } host])
        {
            ParseAuthority(host, defaultPort: HttpPort);
        }
    }
}
