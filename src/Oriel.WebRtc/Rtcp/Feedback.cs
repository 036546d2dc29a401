using System.Buffers.Binary;

namespace Oriel.WebRtc.Rtcp;

/// <summary>Feedback messages (RFC 4585 section 6, RFC 5104, goog-remb).</summary>
internal static class Feedback
{
    public const byte Nack = 1;
    public const byte TransportWide = 15;
    public const byte Pli = 1;
    public const byte Fir = 4;
    public const byte ApplicationLayer = 15;

    /// <summary>The most packets read from one NACK; a browser asks for fewer.</summary>
    private const int MaxNacked = 1024;

    public static uint MediaSsrc(in RtcpPacket packet) =>
        packet.Body.Length < 8 ? 0 : BinaryPrimitives.ReadUInt32BigEndian(packet.Body[4..]);

    /// <summary>
    /// Reads the sequence numbers of a generic NACK (RFC 4585 section 6.2.1). Returns how many were written to <paramref name="lost"/>.
    /// </summary>
    public static int ReadNack(in RtcpPacket packet, Span<ushort> lost)
    {
        var count = 0;
        var max = Math.Min(MaxNacked, lost.Length);
        for (var at = 8; at + 4 <= packet.Body.Length; at += 4)
        {
            var first = BinaryPrimitives.ReadUInt16BigEndian(packet.Body[at..]);
            var mask = BinaryPrimitives.ReadUInt16BigEndian(packet.Body[(at + 2)..]) << 1 | 1;
            for (var bit = 0; bit <= 16; bit++)
            {
                if ((mask >> bit & 1) != 0)
                {
                    if (count == max)
                    {
                        return count;
                    }

                    lost[count++] = (ushort)(first + bit);
                }
            }
        }

        return count;
    }

    /// <summary>Whether a FIR (RFC 5104 section 4.3.1) names this source.</summary>
    public static bool FirNames(in RtcpPacket packet, uint ssrc)
    {
        for (var at = 8; at + 8 <= packet.Body.Length; at += 8)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(packet.Body[at..]) == ssrc)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Receiver estimated maximum bitrate in bits per second (draft-alvestrand-rmcat-remb-03).</summary>
    public static bool TryReadRemb(in RtcpPacket packet, out long bitrate)
    {
        bitrate = 0;
        var body = packet.Body;
        if (body.Length < 16 || !body.Slice(8, 4).SequenceEqual("REMB"u8))
        {
            return false;
        }

        var exponent = body[13] >> 2;
        var mantissa = (long)(((body[13] & 3) << 16) | (body[14] << 8) | body[15]);
        bitrate = exponent > 40 ? long.MaxValue : mantissa << exponent;
        return true;
    }
}
