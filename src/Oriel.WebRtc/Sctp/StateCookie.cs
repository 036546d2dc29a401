using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Sctp;

/// <summary>
/// The state of a handshake's answering side. The peer carries it, sealed with an HMAC-SHA256 key of this association (RFC 9260 section
/// 5.1.3), so an INIT alone costs no state.
/// </summary>
internal readonly record struct StateCookie(InitChunk Local, InitChunk Remote, uint LocalTieTag, uint RemoteTieTag, double CreatedAt)
{
    private const int InitLength = 18;
    private const int BodyLength = (2 * InitLength) + 16;
    private const int Length = BodyLength + HMACSHA256.HashSizeInBytes;

    public byte[] Seal(ReadOnlySpan<byte> key)
    {
        var cookie = new byte[Length];
        WriteInit(cookie, Local);
        WriteInit(cookie.AsSpan(InitLength), Remote);
        var rest = cookie.AsSpan(2 * InitLength);
        BinaryPrimitives.WriteUInt32BigEndian(rest, LocalTieTag);
        BinaryPrimitives.WriteUInt32BigEndian(rest[4..], RemoteTieTag);
        BinaryPrimitives.WriteDoubleBigEndian(rest[8..], CreatedAt);
        HMACSHA256.HashData(key, cookie.AsSpan(0, BodyLength), cookie.AsSpan(BodyLength));
        return cookie;
    }

    public static bool TryOpen(ReadOnlySpan<byte> cookie, ReadOnlySpan<byte> key, out StateCookie state)
    {
        state = default;
        if (cookie.Length != Length)
        {
            return false;
        }

        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, cookie[..BodyLength], expected);
        if (!CryptographicOperations.FixedTimeEquals(expected, cookie[BodyLength..]))
        {
            return false;
        }

        var rest = cookie[(2 * InitLength)..];
        state = new StateCookie(
            ReadInit(cookie),
            ReadInit(cookie[InitLength..]),
            BinaryPrimitives.ReadUInt32BigEndian(rest),
            BinaryPrimitives.ReadUInt32BigEndian(rest[4..]),
            BinaryPrimitives.ReadDoubleBigEndian(rest[8..])
        );
        return true;
    }

    private static void WriteInit(Span<byte> to, InitChunk init)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, init.Tag);
        BinaryPrimitives.WriteUInt32BigEndian(to[4..], init.Window);
        BinaryPrimitives.WriteUInt16BigEndian(to[8..], init.OutboundStreams);
        BinaryPrimitives.WriteUInt16BigEndian(to[10..], init.InboundStreams);
        BinaryPrimitives.WriteUInt32BigEndian(to[12..], init.InitialTsn);
        to[16] = init.SupportsForwardTsn ? (byte)1 : (byte)0;
        to[17] = init.SupportsReset ? (byte)1 : (byte)0;
    }

    private static InitChunk ReadInit(ReadOnlySpan<byte> from) =>
        new(
            BinaryPrimitives.ReadUInt32BigEndian(from),
            BinaryPrimitives.ReadUInt32BigEndian(from[4..]),
            BinaryPrimitives.ReadUInt16BigEndian(from[8..]),
            BinaryPrimitives.ReadUInt16BigEndian(from[10..]),
            BinaryPrimitives.ReadUInt32BigEndian(from[12..])
        )
        {
            SupportsForwardTsn = from[16] != 0,
            SupportsReset = from[17] != 0,
        };
}
