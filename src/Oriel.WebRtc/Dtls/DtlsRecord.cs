using System.Buffers.Binary;

namespace Oriel.WebRtc.Dtls;

/// <summary>
/// Checks a client's records before BouncyCastle gets them. BouncyCastle ends a session on some records that RFC 6347 section 4.1.2.7 says
/// to discard, and anyone who knows a viewer's address can send one.
/// </summary>
internal static class DtlsRecord
{
    public const int HeaderLength = 13;
    public const byte ChangeCipherSpec = 20;
    public const byte Alert = 21;
    public const byte Handshake = 22;
    public const byte ApplicationData = 23;

    private const int MaxLength = 2048;
    private const int HandshakeHeaderLength = 12;
    private const byte ClientHello = 1;
    private const byte Certificate = 11;
    private const byte CertificateVerify = 15;
    private const byte ClientKeyExchange = 16;

    /// <summary>
    /// True when the datagram consists of whole records of known types and of DTLS 1.0 or 1.2 (a client's first ones say 1.0).
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

            var length = LengthOf(datagram);
            if (length == HeaderLength || length > datagram.Length)
            {
                return false;
            }

            datagram = datagram[length..];
        }

        return true;
    }

    /// <summary>A first flight: an unencrypted handshake record with a ClientHello.</summary>
    public static bool IsClientHello(ReadOnlySpan<byte> datagram) =>
        IsPlausible(datagram)
        && EpochOf(datagram) == 0
        && datagram[HeaderLength] == ClientHello
        && IsWanted(datagram[..LengthOf(datagram)]);

    /// <summary>The record's length with its header; may exceed the input.</summary>
    public static int LengthOf(ReadOnlySpan<byte> record) => HeaderLength + BinaryPrimitives.ReadUInt16BigEndian(record[11..]);

    public static ushort EpochOf(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt16BigEndian(record[3..]);

    /// <summary>
    /// Whether a client has reason to send a plausible record: unencrypted handshake messages, and whatever the keys protect. Unencrypted
    /// alerts are refused: a forged one looks the same, and a silent client ends the handshake anyway. So is change_cipher_spec, which
    /// <see cref="DtlsRecords"/> generates itself.
    /// </summary>
    public static bool IsWanted(ReadOnlySpan<byte> record) =>
        EpochOf(record) switch
        {
            0 => record[0] == Handshake && AreMessages(record[HeaderLength..]),
            1 => record[0] is Alert or Handshake or ApplicationData,
            _ => false, // nobody renegotiates
        };

    private static bool AreMessages(ReadOnlySpan<byte> fragments)
    {
        while (!fragments.IsEmpty)
        {
            if (
                fragments.Length < HandshakeHeaderLength
                || fragments[0] is not (ClientHello or Certificate or CertificateVerify or ClientKeyExchange)
            )
            {
                return false;
            }

            var (whole, offset, length) = (UInt24(fragments[1..]), UInt24(fragments[6..]), UInt24(fragments[9..]));
            var body = fragments[HandshakeHeaderLength..];
            if (length > body.Length || offset + length > whole)
            {
                return false;
            }

            if (fragments[0] == ClientHello && length == whole && !IsHello(body[..length]))
            {
                return false;
            }

            fragments = body[length..];
        }

        return true;
    }

    /// <summary>
    /// RFC 6347 section 4.2.1: version, random, then session id, cookie, suites, compressions and extensions by their lengths.
    /// </summary>
    private static bool IsHello(ReadOnlySpan<byte> body)
    {
        const int FixedLength = 34;
        return body.Length > FixedLength
            && body[0] == 0xFE
            && Skip(body[FixedLength..], 1, out body)
            && Skip(body, 1, out body)
            && Skip(body, 2, out body)
            && Skip(body, 1, out body)
            && (body.IsEmpty || (Skip(body, 2, out body) && body.IsEmpty));
    }

    private static bool Skip(ReadOnlySpan<byte> input, int lengthBytes, out ReadOnlySpan<byte> rest)
    {
        rest = default;
        if (input.Length < lengthBytes)
        {
            return false;
        }

        var length = lengthBytes + (lengthBytes == 1 ? input[0] : BinaryPrimitives.ReadUInt16BigEndian(input));
        if (length > input.Length)
        {
            return false;
        }

        rest = input[length..];
        return true;
    }

    private static int UInt24(ReadOnlySpan<byte> bytes) => (bytes[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(bytes[1..]);
}
