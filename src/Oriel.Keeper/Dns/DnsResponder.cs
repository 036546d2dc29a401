using System.Buffers.Binary;
using System.Text;

namespace Oriel.Keeper.Dns;

/// <summary>
/// Answers a guest's questions by itself: A with the name's synthetic address, PTR of such an address with the name, any other type of a
/// known kind of name with nothing (so that no IPv6, HTTPS or service record leads elsewhere). It asks nobody and knows no real address.
/// </summary>
public sealed class DnsResponder(SyntheticNames names)
{
    /// <summary>Seconds. Short, so that a guest restored from a snapshot asks again soon.</summary>
    public const int TimeToLive = 30;

    /// <summary>
    /// Bytes that a buffer for <see cref="Answer"/> must hold: header, question, a record and OPT. A long name in the answer has a short
    /// question (PTR) and the other way round, so no answer exceeds the 512 bytes of RFC 1035 and none is ever truncated.
    /// </summary>
    public const int BufferLength = DnsQuery.HeaderLength + DnsQuery.MaxNameOctets + 4 + 12 + DnsQuery.MaxNameOctets + OptLength;

    private const int OptLength = 11;

    private const ushort TypeA = 1;
    private const ushort TypePtr = 12;
    private const ushort ClassInternet = 1;
    private const ushort UdpPayload = 1232;

    /// <returns>The answer's length; 0 where none must be sent.</returns>
    public int Answer(ReadOnlyMemory<byte> message, Span<byte> response)
    {
        if (!DnsQuery.TryParse(message, out var query))
        {
            return 0;
        }

        var code = query.Problem;
        byte[] data = [];
        if (code == DnsResponseCode.NoError)
        {
            code = Resolve(query, out data);
        }

        return Write(query, code, data, response);
    }

    private DnsResponseCode Resolve(in DnsQuery query, out byte[] data)
    {
        data = [];
        if (query.Class != ClassInternet)
        {
            return DnsResponseCode.Refused;
        }

        if (DnsName.ReverseAddress(query.Name) is { } reverse)
        {
            if (names.NameOf(reverse) is not { } name)
            {
                return DnsResponseCode.NoSuchName;
            }

            data = query.Type == TypePtr ? EncodeName(name) : [];
            return DnsResponseCode.NoError;
        }

        if (!DnsName.IsResolvable(query.Name))
        {
            return DnsResponseCode.NoSuchName;
        }

        if (query.Type != TypeA)
        {
            return DnsResponseCode.NoError;
        }

        if (names.AddressOf(query.Name) is not { } address)
        {
            return DnsResponseCode.ServerFailure;
        }

        data = address.GetAddressBytes();
        return DnsResponseCode.NoError;
    }

    private static byte[] EncodeName(string name)
    {
        var encoded = new byte[name.Length + 2];
        var position = 0;
        foreach (var label in name.Split('.'))
        {
            encoded[position++] = (byte)label.Length;
            position += Encoding.ASCII.GetBytes(label, encoded.AsSpan(position));
        }

        return encoded;
    }

    private static int Write(in DnsQuery query, DnsResponseCode code, ReadOnlySpan<byte> data, Span<byte> response)
    {
        response[..DnsQuery.HeaderLength].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(response, query.Id);
        response[2] = (byte)(0x84 | (query.RecursionDesired ? 1 : 0));
        response[3] = (byte)(0x80 | ((int)code & 0xF));
        response[5] = (byte)(query.Question.IsEmpty ? 0 : 1);
        response[7] = (byte)(data.IsEmpty ? 0 : 1);
        response[11] = (byte)(query.HasEdns ? 1 : 0);
        var position = DnsQuery.HeaderLength;
        query.Question.Span.CopyTo(response[position..]);
        position += query.Question.Length;
        if (!data.IsEmpty)
        {
            // The name is a pointer to the question's (RFC 1035 section 4.1.4); type and class are the question's.
            BinaryPrimitives.WriteUInt16BigEndian(response[position..], 0xC000 | DnsQuery.HeaderLength);
            query.Question.Span[^4..].CopyTo(response[(position + 2)..]);
            BinaryPrimitives.WriteUInt32BigEndian(response[(position + 6)..], TimeToLive);
            BinaryPrimitives.WriteUInt16BigEndian(response[(position + 10)..], (ushort)data.Length);
            data.CopyTo(response[(position + 12)..]);
            position += 12 + data.Length;
        }

        if (query.HasEdns)
        {
            // RFC 6891 section 6.1.2: root, OPT, payload size, extended code and version, flags, no options.
            response.Slice(position, OptLength).Clear();
            response[position + 2] = 41;
            BinaryPrimitives.WriteUInt16BigEndian(response[(position + 3)..], UdpPayload);
            response[position + 5] = (byte)((int)code >> 4);
            position += OptLength;
        }

        return position;
    }
}
