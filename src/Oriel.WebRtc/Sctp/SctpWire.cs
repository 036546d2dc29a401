using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Oriel.WebRtc.Sctp;

/// <summary>Chunk types (RFC 9260 section 3.2, RFC 3758, RFC 6525).</summary>
internal static class ChunkType
{
    public const byte Data = 0;
    public const byte Init = 1;
    public const byte InitAck = 2;
    public const byte Sack = 3;
    public const byte Heartbeat = 4;
    public const byte HeartbeatAck = 5;
    public const byte Abort = 6;
    public const byte Shutdown = 7;
    public const byte ShutdownAck = 8;
    public const byte Error = 9;
    public const byte CookieEcho = 10;
    public const byte CookieAck = 11;
    public const byte ShutdownComplete = 14;
    public const byte ReConfig = 130;
    public const byte ForwardTsn = 192;
}

/// <summary>Error causes (RFC 9260 section 3.3.10).</summary>
internal static class ErrorCause
{
    public const ushort InvalidStream = 1;
    public const ushort StaleCookie = 3;
    public const ushort OutOfResource = 4;
    public const ushort UnrecognizedChunk = 6;
    public const ushort NoUserData = 9;
    public const ushort UserAbort = 12;
    public const ushort ProtocolViolation = 13;
}

/// <summary>Serial number arithmetic (RFC 1982) as SCTP compares TSNs and SSNs.</summary>
internal static class Serial
{
    public static bool Less(uint a, uint b) => (int)(a - b) < 0;

    public static bool Less16(ushort a, ushort b) => (short)(a - b) < 0;
}

/// <summary>The common header (RFC 9260 section 3.1) and its CRC32c.</summary>
internal static class SctpWire
{
    public const int HeaderLength = 12;
    private const int ChecksumOffset = 8;

    /// <summary>CRC32c over the packet with its checksum field taken as zero (RFC 9260 appendix A).</summary>
    public static uint Checksum(ReadOnlySpan<byte> packet)
    {
        var crc = Update(uint.MaxValue, packet[..ChecksumOffset]);
        crc = BitOperations.Crc32C(crc, 0u);
        return ~Update(crc, packet[HeaderLength..]);
    }

    public static bool HasValidChecksum(ReadOnlySpan<byte> packet) =>
        packet.Length >= HeaderLength && BinaryPrimitives.ReadUInt32LittleEndian(packet[ChecksumOffset..]) == Checksum(packet);

    public static void WriteChecksum(Span<byte> packet) =>
        BinaryPrimitives.WriteUInt32LittleEndian(packet[ChecksumOffset..], Checksum(packet));

    private static uint Update(uint crc, ReadOnlySpan<byte> data)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (var word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (var one in data[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, one);
        }

        return crc;
    }
}

/// <summary>
/// Walks type-length-value records padded to four bytes: the chunks of a packet (1-byte type and flags) or the parameters of a chunk
/// (2-byte type). Never reads outside the span; <see cref="Malformed"/> tells whether it ended early.
/// </summary>
internal ref struct TlvReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;

    /// <summary>The two bytes before the length.</summary>
    public ushort Tag { get; private set; }

    public readonly byte ChunkType => (byte)(Tag >> 8);

    public readonly byte Flags => (byte)Tag;

    public ReadOnlySpan<byte> Value { get; private set; }

    public bool Malformed { get; private set; }

    public bool Read()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest.Length < 4)
        {
            Malformed = true;
            return false;
        }

        Tag = BinaryPrimitives.ReadUInt16BigEndian(_rest);
        var length = BinaryPrimitives.ReadUInt16BigEndian(_rest[2..]);
        if (length < 4 || length > _rest.Length)
        {
            Malformed = true;
            return false;
        }

        Value = _rest[4..length];
        _rest = _rest[Math.Min(_rest.Length, (length + 3) & ~3)..];
        return true;
    }
}

/// <summary>
/// Bundles chunks into packets of bounded size and hands each finished one, in a pooled array, to <paramref name="emit"/>.
/// </summary>
internal sealed class PacketWriter(SctpOptions options, Action<byte[], int> emit)
{
    private byte[]? _buffer;
    private int _length;

    /// <summary>The peer's verification tag.</summary>
    public uint Tag { get; set; }

    /// <summary>Largest value of a chunk with a header of <paramref name="header"/> bytes in a packet of its own.</summary>
    public int MaxPayload(int header) => ((options.MaxPacketSize & ~3) - SctpWire.HeaderLength - 4 - header) & ~3;

    /// <summary>Bytes of value that still fit in the current packet.</summary>
    public int Room => (options.MaxPacketSize & ~3) - (_buffer is null ? SctpWire.HeaderLength : _length) - 4;

    /// <summary>Adds a chunk, in a new packet if necessary. The caller must fill the returned value immediately.</summary>
    public Span<byte> Add(byte type, byte flags, int valueLength)
    {
        if (_buffer is not null && valueLength > Room)
        {
            Flush();
        }

        if (_buffer is null)
        {
            Begin(Tag, Math.Max(options.MaxPacketSize, SctpWire.HeaderLength + 4 + valueLength + 3));
        }

        var start = _length;
        var buffer = _buffer!;
        buffer[start] = type;
        buffer[start + 1] = flags;
        BinaryPrimitives.WriteUInt16BigEndian(buffer.AsSpan(start + 2), (ushort)(4 + valueLength));
        var end = start + 4 + valueLength;
        _length = (end + 3) & ~3;
        buffer.AsSpan(end, _length - end).Clear();
        return buffer.AsSpan(start + 4, valueLength);
    }

    /// <summary>Writes a chunk in a packet of its own with the given tag (INIT with tag 0, INIT ACK, ABORT).</summary>
    public void AddAlone(uint tag, byte type, byte flags, ReadOnlySpan<byte> value)
    {
        Flush();
        Begin(tag, SctpWire.HeaderLength + 4 + value.Length + 3);
        value.CopyTo(Add(type, flags, value.Length));
        Flush();
    }

    public void Flush()
    {
        if (_buffer is not { } buffer)
        {
            return;
        }

        SctpWire.WriteChecksum(buffer.AsSpan(0, _length));
        var length = _length;
        _buffer = null;
        _length = 0;
        emit(buffer, length);
    }

    private void Begin(uint tag, int capacity)
    {
        _buffer = ArrayPool<byte>.Shared.Rent(capacity);
        BinaryPrimitives.WriteUInt16BigEndian(_buffer, options.LocalPort);
        BinaryPrimitives.WriteUInt16BigEndian(_buffer.AsSpan(2), options.RemotePort);
        BinaryPrimitives.WriteUInt32BigEndian(_buffer.AsSpan(4), tag);
        BinaryPrimitives.WriteUInt32BigEndian(_buffer.AsSpan(8), 0);
        _length = SctpWire.HeaderLength;
    }
}
