using System.Buffers.Binary;
using Oriel.WebRtc.Sctp;

namespace Oriel.WebRtc.Dtls;

/// <summary>A cheap look at a datagram before BouncyCastle gets it (RFC 6347 section 4.1).</summary>
internal static class DtlsRecord
{
    public const int HeaderLength = 13;
    public const byte Alert = 21;
    public const byte Handshake = 22;
    public const byte ApplicationData = 23;

    private const int MaxLength = 2048;

    /// <summary>
    /// True when the datagram is a row of whole records of known types and of DTLS 1.0 or 1.2 (a client's first ones say 1.0).
    /// </summary>
    public static bool IsPlausible(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length is < HeaderLength or > MaxLength)
        {
            return false;
        }

        while (!datagram.IsEmpty)
        {
            if (datagram.Length < HeaderLength || datagram[0] is < 20 or > 24 || datagram[1] != 0xFE || datagram[2] is not (0xFF or 0xFD))
            {
                return false;
            }

            int length = BinaryPrimitives.ReadUInt16BigEndian(datagram[11..]);
            if (length == 0 || length > datagram.Length - HeaderLength)
            {
                return false;
            }

            datagram = datagram[(HeaderLength + length)..];
        }

        return true;
    }

    /// <summary>A first flight: an unencrypted handshake record with a ClientHello (type 1).</summary>
    public static bool IsClientHello(ReadOnlySpan<byte> datagram) =>
        datagram.Length > HeaderLength
        && datagram[0] == Handshake
        && BinaryPrimitives.ReadUInt16BigEndian(datagram[3..]) == 0
        && datagram[HeaderLength] == 1;
}
