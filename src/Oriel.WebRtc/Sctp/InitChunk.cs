using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>What INIT and INIT ACK carry (RFC 9260 sections 3.3.2 and 3.3.3).</summary>
internal readonly record struct InitChunk(uint Tag, uint Window, ushort OutboundStreams, ushort InboundStreams, uint InitialTsn)
{
    private const int FixedLength = 16;
    private const ushort StateCookieParameter = 7;
    private const ushort UnrecognizedParameter = 8;
    private const ushort SupportedExtensions = 0x8008;
    private const ushort ForwardTsnSupported = 0xC000;
    private const int MaxUnrecognized = 128;

    public bool SupportsForwardTsn { get; init; }

    public bool SupportsReset { get; init; }

    /// <returns>False when the chunk is too short, names no tag or no streams, or has broken parameters.</returns>
    public static bool TryParse(ReadOnlySpan<byte> value, out InitChunk init, out ReadOnlySpan<byte> cookie, List<byte[]>? unrecognized)
    {
        cookie = default;
        init = default;
        if (value.Length < FixedLength)
        {
            return false;
        }

        init = new InitChunk(
            BinaryPrimitives.ReadUInt32BigEndian(value),
            BinaryPrimitives.ReadUInt32BigEndian(value[4..]),
            BinaryPrimitives.ReadUInt16BigEndian(value[8..]),
            BinaryPrimitives.ReadUInt16BigEndian(value[10..]),
            BinaryPrimitives.ReadUInt32BigEndian(value[12..])
        );
        if (init.Tag == 0 || init.OutboundStreams == 0 || init.InboundStreams == 0)
        {
            return false;
        }

        var parameters = new TlvReader(value[FixedLength..]);
        while (parameters.Read())
        {
            switch (parameters.Tag)
            {
                case StateCookieParameter:
                    cookie = parameters.Value;
                    break;
                case ForwardTsnSupported:
                    init = init with { SupportsForwardTsn = true };
                    break;
                case SupportedExtensions:
                    init = init with
                    {
                        SupportsForwardTsn = init.SupportsForwardTsn || parameters.Value.Contains(ChunkType.ForwardTsn),
                        SupportsReset = parameters.Value.Contains(ChunkType.ReConfig),
                    };
                    break;
                default:
                    if (!SkipUnknown(parameters.Tag, parameters.Value, unrecognized))
                    {
                        return true;
                    }

                    break;
            }
        }

        return !parameters.Malformed;
    }

    /// <summary>Writes the chunk's value; <paramref name="cookie"/> only for INIT ACK.</summary>
    public byte[] Write(ReadOnlySpan<byte> cookie, List<byte[]>? unrecognized)
    {
        using var stream = new MemoryStream(128);
        Span<byte> head = stackalloc byte[FixedLength];
        BinaryPrimitives.WriteUInt32BigEndian(head, Tag);
        BinaryPrimitives.WriteUInt32BigEndian(head[4..], Window);
        BinaryPrimitives.WriteUInt16BigEndian(head[8..], OutboundStreams);
        BinaryPrimitives.WriteUInt16BigEndian(head[10..], InboundStreams);
        BinaryPrimitives.WriteUInt32BigEndian(head[12..], InitialTsn);
        stream.Write(head);
        WriteParameter(stream, ForwardTsnSupported, []);
        WriteParameter(stream, SupportedExtensions, [ChunkType.ForwardTsn, ChunkType.ReConfig]);
        if (!cookie.IsEmpty)
        {
            WriteParameter(stream, StateCookieParameter, cookie);
        }

        foreach (var one in unrecognized ?? [])
        {
            WriteParameter(stream, UnrecognizedParameter, one);
        }

        return stream.ToArray();
    }

    /// <summary>The two highest bits say what to do with an unknown parameter (RFC 9260 section 3.2.1).</summary>
    private static bool SkipUnknown(ushort tag, ReadOnlySpan<byte> value, List<byte[]>? unrecognized)
    {
        if ((tag & 0x4000) != 0 && unrecognized is { Count: < 4 } && value.Length <= MaxUnrecognized)
        {
            var copy = new byte[4 + value.Length];
            BinaryPrimitives.WriteUInt16BigEndian(copy, tag);
            BinaryPrimitives.WriteUInt16BigEndian(copy.AsSpan(2), (ushort)copy.Length);
            value.CopyTo(copy.AsSpan(4));
            unrecognized.Add(copy);
        }

        // Address and cookie-preservative parameters (5, 6, 9, 11, 12) are defined but mean nothing over DTLS.
        return (tag & 0x8000) != 0 || tag is 5 or 6 or 9 or 11 or 12 or UnrecognizedParameter;
    }

    private static void WriteParameter(MemoryStream stream, ushort tag, ReadOnlySpan<byte> value)
    {
        stream.SetLength((stream.Length + 3) & ~3L);
        stream.Position = stream.Length;
        Span<byte> head = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16BigEndian(head, tag);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], (ushort)(4 + value.Length));
        stream.Write(head);
        stream.Write(value);
    }
}
