using System.Buffers.Binary;

namespace Oriel.Keeper.Dns;

/// <summary>RFC 1035 section 4.1.1 and RFC 6895.</summary>
public enum DnsResponseCode : ushort
{
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NoSuchName = 3,
    NotImplemented = 4,
    Refused = 5,
    BadVersion = 16,
}

/// <summary>
/// One question (RFC 1035 section 4.1), as far as it is needed to answer it. Nothing is read beyond the message, and the work is linear in
/// its length: a pointer is never followed.
/// </summary>
/// <param name="Name">Lower case, without the root's dot; empty for the root. Octets that are no letters, digits, - or _ stand as they are
/// (Latin-1).</param>
/// <param name="Question">The question as it was sent, to be sent back unchanged.</param>
/// <param name="HasEdns">An OPT record came with it (RFC 6891), so one goes back.</param>
public readonly record struct DnsQuery(
    ushort Id,
    bool RecursionDesired,
    DnsResponseCode Problem,
    string Name,
    ushort Type,
    ushort Class,
    ReadOnlyMemory<byte> Question,
    bool HasEdns
)
{
    public const int HeaderLength = 12;
    public const int MaxNameOctets = 255;

    private const int MaxAdditional = 4;
    private const ushort TypeOpt = 41;

    /// <returns>False where nothing must be answered: too short, or itself an answer.</returns>
    public static bool TryParse(ReadOnlyMemory<byte> message, out DnsQuery query)
    {
        query = default;
        var span = message.Span;
        if (span.Length < HeaderLength || (span[2] & 0x80) != 0)
        {
            return false;
        }

        query = new DnsQuery(
            BinaryPrimitives.ReadUInt16BigEndian(span),
            (span[2] & 1) != 0,
            DnsResponseCode.FormatError,
            "",
            0,
            0,
            ReadOnlyMemory<byte>.Empty,
            false
        );
        if ((span[2] & 0x78) != 0)
        {
            query = query with { Problem = DnsResponseCode.NotImplemented };
            return true;
        }

        var additional = BinaryPrimitives.ReadUInt16BigEndian(span[10..]);
        var counts = BinaryPrimitives.ReadUInt64BigEndian(span[4..]) >> 16;
        if (
            counts != 0x0001_0000_0000
            || additional > MaxAdditional
            || !TryReadName(span, HeaderLength, out var name, out var position)
            || position + 4 > span.Length
        )
        {
            return true;
        }

        query = query with
        {
            Name = name,
            Type = BinaryPrimitives.ReadUInt16BigEndian(span[position..]),
            Class = BinaryPrimitives.ReadUInt16BigEndian(span[(position + 2)..]),
            Question = message[HeaderLength..(position + 4)],
        };
        query = query with { Problem = ReadAdditional(span, position + 4, additional, out var edns), HasEdns = edns };
        return true;
    }

    private static DnsResponseCode ReadAdditional(ReadOnlySpan<byte> span, int position, int count, out bool edns)
    {
        edns = false;
        for (var i = 0; i < count; i++)
        {
            if (!TrySkipName(span, ref position) || position + 10 > span.Length)
            {
                return DnsResponseCode.FormatError;
            }

            var type = BinaryPrimitives.ReadUInt16BigEndian(span[position..]);
            var version = span[position + 5];
            position += 10 + BinaryPrimitives.ReadUInt16BigEndian(span[(position + 8)..]);
            if (position > span.Length || (type == TypeOpt && edns))
            {
                return DnsResponseCode.FormatError;
            }

            edns |= type == TypeOpt;
            if (type == TypeOpt && version != 0)
            {
                return DnsResponseCode.BadVersion;
            }
        }

        return position == span.Length ? DnsResponseCode.NoError : DnsResponseCode.FormatError;
    }

    private static bool TryReadName(ReadOnlySpan<byte> span, int position, out string name, out int end)
    {
        Span<char> text = stackalloc char[MaxNameOctets];
        var length = 0;
        name = "";
        end = position;
        while (end < span.Length)
        {
            var label = span[end++];
            if (label == 0)
            {
                name = text[..length].ToString();
                return true;
            }

            if (label > DnsName.MaxLabelLength || end + label > span.Length || length + label + 1 > DnsName.MaxLength + 1)
            {
                return false;
            }

            if (length > 0)
            {
                text[length++] = '.';
            }

            foreach (var octet in span.Slice(end, label))
            {
                // A dot inside a label must not look like a label's end.
                text[length++] = octet == '.' ? '\uFFFD' : char.ToLowerInvariant((char)octet);
            }

            end += label;
        }

        return false;
    }

    private static bool TrySkipName(ReadOnlySpan<byte> span, ref int position)
    {
        while (position < span.Length)
        {
            var label = span[position++];
            switch (label)
            {
                case 0:
                    return true;
                case >= 0xC0:
                    return ++position <= span.Length;
                case > DnsName.MaxLabelLength:
                    return false;
                default:
                    position += label;
                    break;
            }
        }

        return false;
    }
}
