using System.Buffers.Binary;
using System.Text;

namespace Oriel.WebRtc.Sctp;

/// <summary>Payload protocol identifiers of WebRTC (RFC 8831 section 8).</summary>
internal static class Ppid
{
    public const uint Control = 50;
    public const uint Text = 51;
    public const uint Binary = 53;
    public const uint EmptyText = 56;
    public const uint EmptyBinary = 57;
}

/// <summary>DATA_CHANNEL_OPEN (RFC 8832 section 5.1).</summary>
internal sealed record ChannelOpenMessage(string Label, string Protocol, bool Ordered, int? MaxRetransmits, TimeSpan? MaxLifetime)
{
    public const byte OpenType = 3;
    public const byte AckType = 2;
    private const int FixedLength = 12;
    private const byte UnorderedBit = 0x80;
    private const byte ByRetransmits = 1;
    private const byte ByLifetime = 2;

    public static ChannelOpenMessage? Parse(ReadOnlySpan<byte> message)
    {
        if (message.Length < FixedLength || message[0] != OpenType)
        {
            return null;
        }

        var kind = (byte)(message[1] & ~UnorderedBit);
        var parameter = BinaryPrimitives.ReadUInt32BigEndian(message[4..]);
        var labelLength = BinaryPrimitives.ReadUInt16BigEndian(message[8..]);
        var protocolLength = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        if (kind > ByLifetime || FixedLength + labelLength + protocolLength > message.Length)
        {
            return null;
        }

        return new ChannelOpenMessage(
            Encoding.UTF8.GetString(message.Slice(FixedLength, labelLength)),
            Encoding.UTF8.GetString(message.Slice(FixedLength + labelLength, protocolLength)),
            (message[1] & UnorderedBit) == 0,
            kind == ByRetransmits ? (int)Math.Min(parameter, int.MaxValue) : null,
            kind == ByLifetime ? TimeSpan.FromMilliseconds(parameter) : null
        );
    }

    public byte[] Write()
    {
        var label = Encoding.UTF8.GetBytes(Label);
        var protocol = Encoding.UTF8.GetBytes(Protocol);
        var message = new byte[FixedLength + label.Length + protocol.Length];
        message[0] = OpenType;
        message[1] = (byte)(
            (Ordered ? 0 : UnorderedBit)
            | (
                MaxRetransmits is not null ? ByRetransmits
                : MaxLifetime is not null ? ByLifetime
                : 0
            )
        );
        var parameter = MaxRetransmits is { } retransmits ? (uint)retransmits : (uint)(MaxLifetime?.TotalMilliseconds ?? 0);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), parameter);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(8), (ushort)label.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(10), (ushort)protocol.Length);
        label.CopyTo(message, FixedLength);
        protocol.CopyTo(message, FixedLength + label.Length);
        return message;
    }
}
