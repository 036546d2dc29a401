using System.Buffers.Binary;

namespace Oriel.WebRtc.Rtcp;

/// <summary>The peer's report on one packet: its arrival in microseconds of the peer's own clock, or that it has not arrived.</summary>
internal readonly record struct Arrival(ushort Sequence, bool Received, long Microseconds);

/// <summary>Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).</summary>
internal static class TransportFeedback
{
    private const int Fixed = 16;
    private const int DeltaMicroseconds = 250;
    private const int ReferenceMicroseconds = 64_000;

    /// <summary>
    /// Appends the statuses of the packets. False when malformed or when there are more than <paramref name="max"/>, which leaves
    /// <paramref name="arrivals"/> unchanged.
    /// </summary>
    public static bool TryRead(in RtcpPacket packet, List<Arrival> arrivals, int max = 8192)
    {
        var body = packet.Body;
        var before = arrivals.Count;
        if (body.Length < Fixed)
        {
            return false;
        }

        var sequence = BinaryPrimitives.ReadUInt16BigEndian(body[8..]);
        int count = BinaryPrimitives.ReadUInt16BigEndian(body[10..]);
        var time = (long)((body[12] << 16) | (body[13] << 8) | body[14]) * ReferenceMicroseconds;
        if (count > max || !TryFindDeltas(body, count, out var deltas))
        {
            return false;
        }

        var done = 0;
        for (var at = Fixed; done < count; at += 2)
        {
            int chunk = BinaryPrimitives.ReadUInt16BigEndian(body[at..]);
            var run = SymbolCount(chunk);
            for (var i = 0; i < run && done < count; i++, done++)
            {
                var symbol = Symbol(chunk, i);
                if (symbol is 1 or 2)
                {
                    if (deltas + symbol > body.Length)
                    {
                        arrivals.RemoveRange(before, arrivals.Count - before);
                        return false;
                    }

                    time += (symbol == 1 ? body[deltas] : BinaryPrimitives.ReadInt16BigEndian(body[deltas..])) * (long)DeltaMicroseconds;
                    deltas += symbol;
                }

                arrivals.Add(new Arrival(sequence++, symbol is 1 or 2, time));
            }
        }

        return true;
    }

    // The deltas follow the chunks. Only reading the chunks shows how many there are.
    private static bool TryFindDeltas(ReadOnlySpan<byte> body, int count, out int deltas)
    {
        deltas = Fixed;
        for (var done = 0; done < count; deltas += 2)
        {
            if (deltas + 2 > body.Length)
            {
                return false;
            }

            var run = SymbolCount(BinaryPrimitives.ReadUInt16BigEndian(body[deltas..]));
            if (run == 0)
            {
                return false;
            }

            done += run;
        }

        return true;
    }

    private static int SymbolCount(int chunk) =>
        (chunk & 0x8000) == 0 ? chunk & 0x1FFF
        : (chunk & 0x4000) == 0 ? 14
        : 7;

    private static int Symbol(int chunk, int index)
    {
        if ((chunk & 0x8000) == 0)
        {
            return chunk >> 13 & 3;
        }

        return (chunk & 0x4000) == 0 ? chunk >> (13 - index) & 1 : chunk >> (12 - (2 * index)) & 3;
    }
}
