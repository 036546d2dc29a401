using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>ERROR chunks (RFC 9260 section 3.3.10).</summary>
internal static class ErrorChunk
{
    private const int MaxQuoted = 64;

    public static void WriteInvalidStream(PacketWriter writer, ushort stream)
    {
        var cause = Begin(writer, ErrorCause.InvalidStream, 8);
        BinaryPrimitives.WriteUInt16BigEndian(cause[4..], stream);
        BinaryPrimitives.WriteUInt16BigEndian(cause[6..], 0);
    }

    public static void WriteUnrecognized(PacketWriter writer, byte type, byte flags, ReadOnlySpan<byte> value)
    {
        var quoted = Math.Min(value.Length, MaxQuoted);
        var cause = Begin(writer, ErrorCause.UnrecognizedChunk, 8 + quoted);
        cause[4] = type;
        cause[5] = flags;
        BinaryPrimitives.WriteUInt16BigEndian(cause[6..], (ushort)(4 + value.Length));
        value[..quoted].CopyTo(cause[8..]);
    }

    private static Span<byte> Begin(PacketWriter writer, ushort code, int length)
    {
        var cause = writer.Add(ChunkType.Error, 0, length);
        BinaryPrimitives.WriteUInt16BigEndian(cause, code);
        BinaryPrimitives.WriteUInt16BigEndian(cause[2..], (ushort)length);
        return cause;
    }
}
