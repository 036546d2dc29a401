using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace Oriel.Server.Http;

/// <summary>
/// JSON knows numbers alone: 1280.0 and 128e1 are the integer 1280 (RFC 8259 section 6; JSON Schema's "integer"), and some clients write
/// so. The serializer reads an integer from digits only.
/// </summary>
internal static class JsonIntegers
{
    /// <summary>Every whole number up to this is exact as a double (RFC 7493 section 2.2).</summary>
    private const double MaxExact = 9_007_199_254_740_991;

    /// <summary>The same text with whole numbers as digits; as it is where there are none, or where it is no JSON.</summary>
    public static ReadOnlyMemory<byte> AsDigits(ReadOnlyMemory<byte> json)
    {
        ArrayBufferWriter<byte>? written = null;
        var copied = 0;
        var reader = new Utf8JsonReader(json.Span);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.Number || !IsWhole(reader.ValueSpan, out var whole))
                {
                    continue;
                }

                written ??= new ArrayBufferWriter<byte>(json.Length + 16);
                var start = (int)reader.TokenStartIndex;
                written.Write(json.Span[copied..start]);
                copied = start + reader.ValueSpan.Length;
                Utf8Formatter.TryFormat(whole, written.GetSpan(20), out var length);
                written.Advance(length);
            }
        }
        catch (JsonException)
        {
            // The serializer finds it as well, and says where.
            return json;
        }

        written?.Write(json.Span[copied..]);
        return written?.WrittenMemory ?? json;
    }

    private static bool IsWhole(ReadOnlySpan<byte> number, out long whole)
    {
        whole = 0;
        if (
            !number.ContainsAny((byte)'.', (byte)'e', (byte)'E')
            || !double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            || Math.Abs(value) > MaxExact
            || value != Math.Truncate(value)
        )
        {
            return false;
        }

        whole = (long)value;
        return true;
    }
}
