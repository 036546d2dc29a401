using System.Globalization;
using System.Text;

namespace Oriel.Egress.Proxy;

/// <summary>How the end of a message's body is known, RFC 9112 section 6.3.</summary>
internal enum BodyKind
{
    None,
    Length,
    Chunked,
    UntilClose,
}

internal readonly record struct BodyFraming(BodyKind Kind, long Length = 0);

/// <summary>
/// The head of an HTTP/1.1 message: start line and fields. Strict where laxness lets two parsers disagree (RFC 9112 section 11.2).
/// </summary>
internal sealed class HttpHead
{
    private const int MaxFields = 200;

    /// <summary>This proxy's name in Via (RFC 9110 section 7.6.3).</summary>
    private const string Pseudonym = "oriel";

    private static readonly HashSet<string> HopByHop = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "TE",
        "Upgrade",
    };

    // A Connection field cannot take these away: the next parser would find another end of the body, or another host.
    private static readonly HashSet<string> EndToEnd = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Trailer",
        "Via",
        "Cache-Control",
    };

    private HttpHead(string startLine, IReadOnlyList<(string Name, string Value)> fields)
    {
        StartLine = startLine;
        Fields = fields;
    }

    public string StartLine { get; }

    public IReadOnlyList<(string Name, string Value)> Fields { get; }

    /// <param name="isResponse">
    /// A server's faults are mended where RFC 9112 says so: blanks before a colon (section 5.1) and folded lines (section 5.2).
    /// </param>
    /// <exception cref="HttpFormatException">It is no head of HTTP/1.1.</exception>
    public static HttpHead Parse(ReadOnlySpan<byte> bytes, bool isResponse = false)
    {
        if (bytes.Contains((byte)0))
        {
            throw new HttpFormatException("the head contains a NUL");
        }

        var lines = Encoding.Latin1.GetString(bytes).Split("\r\n");
        // A robust server ignores empty lines before a request line (RFC 9112 section 2.2).
        var first = Array.FindIndex(lines, line => line.Length > 0);
        if (first < 0)
        {
            throw new HttpFormatException("the head is empty");
        }

        var fields = new List<(string Name, string Value)>();
        foreach (var line in lines.Skip(first + 1).Where(line => line.Length > 0))
        {
            if (isResponse && line[0] is ' ' or '\t' && fields.Count > 0)
            {
                fields[^1] = (fields[^1].Name, $"{fields[^1].Value} {Checked(line).Trim(' ', '\t')}");
                continue;
            }

            fields.Add(ParseField(line, isResponse));
            if (fields.Count > MaxFields)
            {
                throw new HttpFormatException("there are too many header fields");
            }
        }

        return lines[first].AsSpan().ContainsAny('\n', '\r')
            ? throw new HttpFormatException("a line ends with a bare CR or LF")
            : new HttpHead(lines[first], fields);
    }

    public IEnumerable<string> Values(string name) =>
        Fields.Where(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(field => field.Value);

    public bool HasToken(string name, string token) =>
        Values(name).SelectMany(value => value.Split(',')).Any(part => part.Trim().Equals(token, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// Framing by the fields alone; <paramref name="absent"/> where neither field stands. A response with both is framed by its transfer
    /// coding (RFC 9112 section 6.3); a request with both is refused, as two servers may disagree on its end.
    /// </summary>
    public BodyFraming Framing(BodyKind absent)
    {
        var codings = Values("Transfer-Encoding")
            .SelectMany(value => value.Split(','))
            .Select(part => part.Trim())
            .Where(part => part.Length > 0)
            .ToArray();
        var lengths = Values("Content-Length").SelectMany(value => value.Split(',')).Select(part => part.Trim()).Distinct().ToArray();
        if (codings.Length > 0)
        {
            if (lengths.Length > 0 && absent != BodyKind.UntilClose)
            {
                throw new HttpFormatException("both Transfer-Encoding and Content-Length stand in the head");
            }

            return codings[^1].Equals("chunked", StringComparison.OrdinalIgnoreCase) ? new BodyFraming(BodyKind.Chunked)
                : absent == BodyKind.UntilClose ? new BodyFraming(BodyKind.UntilClose)
                : throw new HttpFormatException("the transfer coding does not end in chunked");
        }

        return lengths.Length switch
        {
            0 => new BodyFraming(absent),
            1 when long.TryParse(lengths[0], NumberStyles.None, CultureInfo.InvariantCulture, out var length) => new BodyFraming(
                length == 0 ? BodyKind.None : BodyKind.Length,
                length
            ),
            _ => throw new HttpFormatException("Content-Length is not one number"),
        };
    }

    /// <summary>
    /// The head as it is forwarded: without what concerns one hop only (RFC 9110 section 7.6.1), with one Content-Length or none, and with
    /// this proxy in Via.
    /// </summary>
    public byte[] Rewrite(string startLine, HeadChange change)
    {
        var named = Values("Connection")
            .SelectMany(value => value.Split(','))
            .Select(part => part.Trim())
            .Where(name => !EndToEnd.Contains(name))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var text = new StringBuilder(startLine).Append("\r\n");
        if (change.Host is not null)
        {
            text.Append("Host: ").Append(change.Host).Append("\r\n");
        }

        foreach (var (name, value) in Fields.Where(field => IsForwarded(field.Name, named, change)))
        {
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        if (!Values("Transfer-Encoding").Any() && Values("Content-Length").FirstOrDefault() is { } length)
        {
            text.Append("Content-Length: ").Append(length.Split(',')[0].Trim()).Append("\r\n");
        }

        text.Append("Via: ").Append(Version).Append(' ').Append(Pseudonym).Append("\r\n");
        foreach (var (name, value) in change.Added)
        {
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        return Encoding.Latin1.GetBytes(text.Append("\r\n").ToString());
    }

    private string Version => StartLine.Contains("HTTP/1.0", StringComparison.Ordinal) ? "1.0" : "1.1";

    private static bool IsForwarded(string name, HashSet<string> named, HeadChange change)
    {
        if (name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase))
        {
            return change.KeepUpgrade;
        }

        return !HopByHop.Contains(name)
            && !named.Contains(name)
            && !name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)
            && !name.Equals(change.Dropped, StringComparison.OrdinalIgnoreCase)
            && !(change.Host is not null && name.Equals("Host", StringComparison.OrdinalIgnoreCase))
            && !(
                change.WithoutChunks
                && (
                    name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase)
                    || name.Equals("Trailer", StringComparison.OrdinalIgnoreCase)
                )
            );
    }

    private static string Checked(string line) =>
        line.AsSpan().ContainsAny('\r', '\n') ? throw new HttpFormatException("a header field is malformed") : line;

    private static (string Name, string Value) ParseField(string line, bool isResponse)
    {
        var colon = Checked(line).IndexOf(':');
        var name = colon < 0 ? "" : line[..colon];
        name = isResponse ? name.TrimEnd(' ', '\t') : name;
        return name.Length > 0 && name.All(IsTokenChar)
            ? (name, line[(colon + 1)..].Trim(' ', '\t'))
            : throw new HttpFormatException("a header field is malformed");
    }

    /// <summary>RFC 9110 section 5.6.2.</summary>
    public static bool IsTokenChar(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c);
}

/// <summary>How a head that is forwarded differs from the one that came.</summary>
internal sealed record HeadChange
{
    /// <summary>In place of every Host field; null leaves them.</summary>
    public string? Host { get; init; }

    public bool KeepUpgrade { get; init; }

    /// <summary>The body is forwarded without its chunks: for a client that does not know them.</summary>
    public bool WithoutChunks { get; init; }

    /// <summary>One more field that is left out.</summary>
    public string? Dropped { get; init; }

    public IReadOnlyList<(string Name, string Value)> Added { get; init; } = [];
}
