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

    private HttpHead(string startLine, IReadOnlyList<(string Name, string Value)> fields)
    {
        StartLine = startLine;
        Fields = fields;
    }

    public string StartLine { get; }

    public IReadOnlyList<(string Name, string Value)> Fields { get; }

    public static HttpHead Parse(ReadOnlySpan<byte> bytes)
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

        var fields = new List<(string, string)>();
        foreach (var line in lines.Skip(first + 1).Where(line => line.Length > 0))
        {
            fields.Add(ParseField(line));
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

    /// <summary>Framing by the fields alone; <paramref name="absent"/> where neither field stands.</summary>
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
            if (lengths.Length > 0)
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

    /// <summary>The head as it goes on, without what concerns one hop only (RFC 9110 section 7.6.1).</summary>
    /// <param name="connection">The Connection field of the next hop; null for none.</param>
    /// <param name="upgrade">Keeps the Upgrade field.</param>
    public byte[] Rewrite(string startLine, string? connection, bool upgrade)
    {
        var named = Values("Connection")
            .SelectMany(value => value.Split(','))
            .Select(part => part.Trim())
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var text = new StringBuilder(startLine).Append("\r\n");
        foreach (var (name, value) in Fields)
        {
            var keptUpgrade = upgrade && name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase);
            if (keptUpgrade || !(HopByHop.Contains(name) || named.Contains(name)))
            {
                text.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }

        if (connection is not null)
        {
            text.Append("Connection: ").Append(connection).Append("\r\n");
        }

        return Encoding.Latin1.GetBytes(text.Append("\r\n").ToString());
    }

    private static (string Name, string Value) ParseField(string line)
    {
        var colon = line.IndexOf(':');
        if (colon <= 0 || line.AsSpan(0, colon).ContainsAny(" \t\r\n") || line.AsSpan(colon).ContainsAny('\r', '\n'))
        {
            throw new HttpFormatException("a header field is malformed");
        }

        return (line[..colon], line[(colon + 1)..].Trim(' ', '\t'));
    }
}
