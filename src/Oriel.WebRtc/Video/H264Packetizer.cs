using System.Buffers.Binary;
using Oriel.WebRtc.Rtp;

namespace Oriel.WebRtc.Video;

/// <summary>H.264 packetization mode 1 (RFC 6184): single NAL units, STAP-A for parameter sets, FU-A for units that are too long.</summary>
internal static class H264Packetizer
{
    private const int Filler = 12;
    private const int Delimiter = 9;
    private const int Sei = 6;
    private const int Sps = 7;
    private const int Pps = 8;
    private const int StapA = 24;
    private const int FuA = 28;

    /// <summary><paramref name="accessUnit"/> is Annex B. Access unit delimiters and filler are left out.</summary>
    public static void Packetize(ReadOnlyMemory<byte> accessUnit, int maxPayload, List<MediaPacket> packets)
    {
        var first = packets.Count;
        var (groupAt, groupLength, groupCount) = (0, 0, 0);
        var reader = new AnnexBReader(accessUnit.Span);
        while (reader.TryRead(out var at, out var length))
        {
            var type = accessUnit.Span[at] & 0x1F;
            if (type is Delimiter or Filler)
            {
                continue;
            }

            if (type is Sps or Pps or Sei && groupLength + 2 + length < maxPayload)
            {
                groupAt = groupCount == 0 ? at : groupAt;
                groupCount++;
                groupLength += 2 + length;
                continue;
            }

            Flush(accessUnit[..at], groupAt, groupLength, groupCount, packets);
            (groupLength, groupCount) = (0, 0);
            AddUnit(accessUnit.Slice(at, length), maxPayload, packets);
        }

        Flush(accessUnit, groupAt, groupLength, groupCount, packets);
        if (packets.Count > first)
        {
            System.Runtime.InteropServices.CollectionsMarshal.AsSpan(packets)[^1].Marker = true;
        }
    }

    private static void AddUnit(ReadOnlyMemory<byte> unit, int maxPayload, List<MediaPacket> packets)
    {
        if (unit.Length <= maxPayload)
        {
            packets.Add(new MediaPacket { Payload = unit });
            return;
        }

        var header = unit.Span[0];
        var body = unit[1..];
        var room = maxPayload - 2;
        var count = (body.Length + room - 1) / room;
        for (var i = 0; i < count; i++)
        {
            var start = (int)((long)body.Length * i / count);
            var end = (int)((long)body.Length * (i + 1) / count);
            var fragment = (header & 0x1F) | (i == 0 ? 0x80 : 0) | (i == count - 1 ? 0x40 : 0);
            packets.Add(
                new MediaPacket
                {
                    Payload = body[start..end],
                    Prefix = (ulong)(byte)((header & 0xE0) | FuA) | ((ulong)(byte)fragment << 8),
                    PrefixLength = 2,
                }
            );
        }
    }

    /// <summary>
    /// Adds the grouped units, which are adjacent in the access unit: a single one unchanged, several as a STAP-A (the only bytes that are
    /// copied).
    /// </summary>
    private static void Flush(ReadOnlyMemory<byte> accessUnit, int groupAt, int groupLength, int groupCount, List<MediaPacket> packets)
    {
        if (groupCount == 0)
        {
            return;
        }

        var source = accessUnit[groupAt..];
        var reader = new AnnexBReader(accessUnit.Span, groupAt);
        var aggregate = new byte[groupLength];
        var (filled, references, seen) = (0, 0, 0);
        while (seen < groupCount && reader.TryRead(out var at, out var length))
        {
            var type = accessUnit.Span[at] & 0x1F;
            if (type is Delimiter or Filler)
            {
                continue;
            }

            if (groupCount == 1)
            {
                packets.Add(new MediaPacket { Payload = source[..length] });
                return;
            }

            BinaryPrimitives.WriteUInt16BigEndian(aggregate.AsSpan(filled), (ushort)length);
            accessUnit.Span.Slice(at, length).CopyTo(aggregate.AsSpan(filled + 2));
            filled += 2 + length;
            references = Math.Max(references, accessUnit.Span[at] & 0x60);
            seen++;
        }

        packets.Add(
            new MediaPacket
            {
                Payload = aggregate.AsMemory(0, filled),
                Prefix = (byte)(references | StapA),
                PrefixLength = 1,
            }
        );
    }
}

/// <summary>NAL units between start codes of three or four bytes (ITU-T H.264 annex B).</summary>
internal ref struct AnnexBReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _at;

    /// <param name="bytes">The access unit.</param>
    /// <param name="unitAt">Where a unit begins, to read the units again from there; by default the first start code is searched
    /// for.</param>
    public AnnexBReader(ReadOnlySpan<byte> bytes, int unitAt = -1)
    {
        _bytes = bytes;
        _at = unitAt >= 0 ? unitAt : NextUnit(bytes, 0, out _);
    }

    public bool TryRead(out int at, out int length)
    {
        while (_at >= 0 && _at < _bytes.Length)
        {
            at = _at;
            _at = NextUnit(_bytes, at, out var end);
            length = end - at;
            if (length > 0)
            {
                return true;
            }
        }

        (at, length) = (0, 0);
        return false;
    }

    /// <summary>
    /// Where the next unit begins, or -1 when there is none. <paramref name="end"/> is the end of the unit before it, without trailing
    /// zeros.
    /// </summary>
    private static int NextUnit(ReadOnlySpan<byte> bytes, int from, out int end)
    {
        var found = bytes[from..].IndexOf((ReadOnlySpan<byte>)[0, 0, 1]);
        end = found < 0 ? bytes.Length : from + found;
        while (end > from && bytes[end - 1] == 0)
        {
            end--;
        }

        return found < 0 ? -1 : from + found + 3;
    }
}
