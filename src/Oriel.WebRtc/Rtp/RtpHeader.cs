using System.Buffers.Binary;

namespace Oriel.WebRtc.Rtp;

/// <summary>RFC 3550 section 5.1, with the bounds of CSRCs, extension and padding checked.</summary>
internal readonly record struct RtpHeader(
    byte PayloadType,
    bool Marker,
    ushort Sequence,
    uint Timestamp,
    uint Ssrc,
    int Length,
    int ExtensionAt,
    int ExtensionLength,
    ushort ExtensionProfile
)
{
    public const int MinLength = 12;

    /// <summary>RFC 8285 section 4.2: one-byte header extensions.</summary>
    public const ushort OneByteProfile = 0xBEDE;

    /// <summary><see cref="Length"/> is the whole header's: fixed part, CSRCs and extension.</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out RtpHeader header)
    {
        header = default;
        if (packet.Length < MinLength || packet[0] >> 6 != 2)
        {
            return false;
        }

        var length = MinLength + ((packet[0] & 0x0F) * 4);
        var (extensionAt, extensionLength, profile) = (0, 0, (ushort)0);
        if ((packet[0] & 0x10) != 0)
        {
            if (packet.Length < length + 4)
            {
                return false;
            }

            profile = BinaryPrimitives.ReadUInt16BigEndian(packet[length..]);
            extensionLength = BinaryPrimitives.ReadUInt16BigEndian(packet[(length + 2)..]) * 4;
            extensionAt = length + 4;
            length = extensionAt + extensionLength;
        }

        if (packet.Length < length)
        {
            return false;
        }

        header = new RtpHeader(
            (byte)(packet[1] & 0x7F),
            (packet[1] & 0x80) != 0,
            BinaryPrimitives.ReadUInt16BigEndian(packet[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(packet[4..]),
            BinaryPrimitives.ReadUInt32BigEndian(packet[8..]),
            length,
            extensionAt,
            extensionLength,
            profile
        );
        return true;
    }

    /// <summary>The value of a one-byte-header extension; empty when it is not there.</summary>
    public ReadOnlySpan<byte> FindExtension(ReadOnlySpan<byte> packet, int id)
    {
        if (ExtensionProfile != OneByteProfile)
        {
            return default;
        }

        var rest = packet.Slice(ExtensionAt, ExtensionLength);
        while (!rest.IsEmpty)
        {
            if (rest[0] == 0)
            {
                rest = rest[1..]; // padding
                continue;
            }

            var (found, length) = (rest[0] >> 4, (rest[0] & 0x0F) + 1);
            if (found == 15 || rest.Length < 1 + length)
            {
                return default;
            }

            if (found == id)
            {
                return rest.Slice(1, length);
            }

            rest = rest[(1 + length)..];
        }

        return default;
    }
}
