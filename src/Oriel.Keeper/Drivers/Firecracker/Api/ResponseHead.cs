using System.Buffers.Text;
using System.Text;

namespace Oriel.Keeper.Drivers.Firecracker.Api;

/// <summary>
/// Status line and headers of one HTTP/1.1 answer, as far as they decide where the body ends. Source: RFC 9112, sections 4 to 6. The VMM
/// sends <c>HTTP/1.1 204 </c> with an empty reason and no Content-Length, or a Content-Length; it never sends chunks, so they are refused.
/// </summary>
/// <param name="ContentLength">Null: the body ends with the connection.</param>
internal readonly record struct ResponseHead(int Status, long? ContentLength)
{
    private static ReadOnlySpan<byte> LineEnd => "\r\n"u8;

    /// <summary>204 and 304 have no body whatever their headers say.</summary>
    public bool HasBody => Status is not (204 or 304) && ContentLength is not 0;

    /// <param name="head">Up to and without the empty line.</param>
    /// <exception cref="FormatException">It is no answer of HTTP/1.x, or its length is unclear.</exception>
    public static ResponseHead Parse(ReadOnlySpan<byte> head)
    {
        var status = ParseStatus(NextLine(ref head));
        long? length = null;
        while (!head.IsEmpty)
        {
            var line = NextLine(ref head);
            var colon = line.IndexOf((byte)':');
            if (colon <= 0)
            {
                throw new FormatException("a header line without a name");
            }

            var name = line[..colon];
            var value = line[(colon + 1)..].Trim(" \t"u8);
            if (Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8))
            {
                throw new FormatException("an answer in chunks");
            }

            if (Ascii.EqualsIgnoreCase(name, "content-length"u8))
            {
                length =
                    ParseLength(value) is var parsed && (length is null || length == parsed)
                        ? parsed
                        : throw new FormatException("two different lengths");
            }
        }

        return new ResponseHead(status, length);
    }

    private static ReadOnlySpan<byte> NextLine(ref ReadOnlySpan<byte> rest)
    {
        var end = rest.IndexOf(LineEnd);
        var line = end < 0 ? rest : rest[..end];
        rest = end < 0 ? [] : rest[(end + LineEnd.Length)..];
        return line;
    }

    private static int ParseStatus(ReadOnlySpan<byte> line)
    {
        // "HTTP/1.1 204" and perhaps a blank and a reason.
        var at = "HTTP/1.1 ".Length;
        var shaped =
            line.Length >= at + 3 && line.StartsWith("HTTP/1."u8) && line[at - 1] == ' ' && (line.Length == at + 3 || line[at + 3] == ' ');
        return shaped && Utf8Parser.TryParse(line.Slice(at, 3), out int status, out var used) && used == 3 && status is >= 100 and < 600
            ? status
            : throw new FormatException("no status line of HTTP/1.x");
    }

    private static long ParseLength(ReadOnlySpan<byte> value)
    {
        var digits = value.Length is > 0 and <= 18 && !value.ContainsAnyExceptInRange((byte)'0', (byte)'9');
        return digits && Utf8Parser.TryParse(value, out long length, out _)
            ? length
            : throw new FormatException("a length that is no number");
    }
}
