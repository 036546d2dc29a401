using System.Globalization;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Proxy;

/// <summary>What a client asks a proxy for: CONNECT with an authority, or a method with an absolute URI (RFC 9112 section 3.2).</summary>
internal sealed record HttpRequestHead(HttpHead Head, string Method, string Host, int Port, string OriginForm)
{
    public bool IsConnect => Method == "CONNECT";

    public bool IsUpgrade => Head.HasToken("Connection", "upgrade") && Head.Values("Upgrade").Any();

    public bool WantsClose =>
        Head.HasToken("Connection", "close")
        || Head.HasToken("Proxy-Connection", "close")
        || Head.StartLine.EndsWith("HTTP/1.0", StringComparison.Ordinal);

    public static HttpRequestHead Parse(ReadOnlySpan<byte> bytes)
    {
        var head = HttpHead.Parse(bytes);
        var parts = head.StartLine.Split(' ');
        if (parts.Length != 3 || parts[2] is not ("HTTP/1.1" or "HTTP/1.0") || parts[0].Length == 0 || !parts[0].All(IsTokenChar))
        {
            throw new HttpFormatException("the request line is malformed");
        }

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

        var rest = parts[1][Scheme.Length..];
        var end = rest.AsSpan().IndexOfAny("/?#");
        var authority = end < 0 ? rest : rest[..end];
        var path =
            end < 0 ? "/"
            : rest[end] == '/' ? rest[end..]
            : "/" + rest[end..];
        var (name, number) = ParseAuthority(authority, defaultPort: 80);
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

    private static bool IsTokenChar(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c);
}
