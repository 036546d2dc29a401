using System.Buffers.Binary;

namespace Oriel.WebRtc.Rtcp;

internal static class RtcpType
{
    public const byte SenderReport = 200;
    public const byte ReceiverReport = 201;
    public const byte SourceDescription = 202;
    public const byte Bye = 203;
    public const byte TransportFeedback = 205;
    public const byte PayloadFeedback = 206;
}

/// <summary>
/// One packet of a compound: <see cref="Count"/> is the report count or feedback format, <see cref="Body"/> everything after the 4-byte
/// header.
/// </summary>
internal readonly ref struct RtcpPacket(byte type, byte count, ReadOnlySpan<byte> body)
{
    public byte Type { get; } = type;
    public byte Count { get; } = count;
    public ReadOnlySpan<byte> Body { get; } = body;
}

/// <summary>
/// Iterates over a compound or reduced-size RTCP packet (RFC 3550 section 6.1, RFC 5506) and stops at the first malformed part.
/// </summary>
internal ref struct RtcpReader(ReadOnlySpan<byte> compound)
{
    private const int MaxPackets = 32;

    private ReadOnlySpan<byte> _rest = compound;
    private int _count;

    public bool TryRead(out RtcpPacket packet)
    {
        packet = default;
        if (_rest.Length < 4 || _rest[0] >> 6 != 2 || _count++ == MaxPackets)
        {
            return false;
        }

        var length = (BinaryPrimitives.ReadUInt16BigEndian(_rest[2..]) + 1) * 4;
        if (length > _rest.Length)
        {
            return false;
        }

        var body = _rest[4..length];
        if ((_rest[0] & 0x20) != 0)
        {
            if (body.IsEmpty || body[^1] == 0 || body[^1] > body.Length)
            {
                return false;
            }

            body = body[..^body[^1]];
        }

        packet = new RtcpPacket(_rest[1], (byte)(_rest[0] & 0x1F), body);
        _rest = _rest[length..];
        return true;
    }
}

/// <summary>One reception report (RFC 3550 section 6.4.1).</summary>
internal readonly record struct ReportBlock(
    uint Ssrc,
    byte FractionLost,
    int CumulativeLost,
    uint HighestSequence,
    uint Jitter,
    uint LastReport,
    uint DelaySinceLastReport
)
{
    public const int Length = 24;

    /// <summary>Reads block <paramref name="index"/> of a sender or receiver report; false after the last whole one.</summary>
    public static bool TryRead(in RtcpPacket packet, int index, out ReportBlock block)
    {
        var at = (packet.Type == RtcpType.SenderReport ? 24 : 4) + (index * Length);
        block = default;
        if (index >= packet.Count || packet.Body.Length < at + Length)
        {
            return false;
        }

        var bytes = packet.Body[at..];
        var lost = BinaryPrimitives.ReadInt32BigEndian(bytes[4..]) << 8 >> 8;
        block = new ReportBlock(
            BinaryPrimitives.ReadUInt32BigEndian(bytes),
            bytes[4],
            lost,
            BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[20..])
        );
        return true;
    }
}
