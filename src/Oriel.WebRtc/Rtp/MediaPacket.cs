namespace Oriel.WebRtc.Rtp;

/// <summary>
/// One packet of a frame before it has a header: a few bytes of payload descriptor and a slice of the frame, which is not copied.
/// </summary>
internal struct MediaPacket
{
    /// <summary>Frame bytes after the descriptor.</summary>
    public ReadOnlyMemory<byte> Payload;

    /// <summary>Up to 8 bytes, first byte in the lowest bits.</summary>
    public ulong Prefix;
    public byte PrefixLength;

    /// <summary>Last packet of its frame.</summary>
    public bool Marker;
    public uint Timestamp;

    /// <summary>The first and the latest sending, in microseconds of the peer's clock.</summary>
    public long FirstSent;
    public long LastSent;
    public byte Resends;

    public readonly int PayloadLength => PrefixLength + Payload.Length;
}
