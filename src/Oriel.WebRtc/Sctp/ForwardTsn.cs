using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>Writes FORWARD TSN (RFC 3758 section 3.2).</summary>
internal static class ForwardTsn
{
    private const int MaxStreams = 64;

    /// <summary>Tells the peer to skip to <paramref name="advancedAck"/>, or as far as one chunk can name the affected streams.</summary>
    public static void Write(PacketWriter writer, List<OutboundChunk> outstanding, uint cumulativeAck, uint advancedAck)
    {
        Span<(ushort Stream, ushort Ssn)> skipped = stackalloc (ushort, ushort)[MaxStreams];
        var count = 0;
        var point = cumulativeAck;
        foreach (var chunk in outstanding)
        {
            if (Serial.Less(advancedAck, chunk.Tsn))
            {
                break;
            }

            if (!chunk.Message.Unordered)
            {
                var at = 0;
                while (at < count && skipped[at].Stream != chunk.Message.Stream)
                {
                    at++;
                }

                if (at == MaxStreams)
                {
                    break;
                }

                skipped[at] = (chunk.Message.Stream, chunk.Message.Ssn);
                count = Math.Max(count, at + 1);
            }

            point = chunk.Tsn;
        }

        var value = writer.Add(ChunkType.ForwardTsn, 0, 4 + (4 * count));
        BinaryPrimitives.WriteUInt32BigEndian(value, point);
        for (var i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(value[(4 + (4 * i))..], skipped[i].Stream);
            BinaryPrimitives.WriteUInt16BigEndian(value[(6 + (4 * i))..], skipped[i].Ssn);
        }
    }
}
