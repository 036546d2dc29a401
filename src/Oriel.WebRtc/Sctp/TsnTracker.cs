using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>Tracks the TSNs received and writes the SACK for them (RFC 9260 section 6.2). Not safe for concurrent use.</summary>
internal sealed class TsnTracker
{
    private const int MaxGaps = 256;
    private const int MaxDuplicates = 32;

    private readonly List<(uint Start, uint End)> _gaps = [];
    private readonly List<uint> _duplicates = [];

    public uint Cumulative { get; private set; }

    public bool HasGaps => _gaps.Count > 0;

    public void Start(uint initialTsn)
    {
        Cumulative = initialTsn - 1;
        _gaps.Clear();
        _duplicates.Clear();
    }

    public void NoteDuplicate(uint tsn)
    {
        if (_duplicates.Count < MaxDuplicates)
        {
            _duplicates.Add(tsn);
        }
    }

    /// <summary>Everything up to the point counts as received (RFC 3758 section 3.6).</summary>
    public void Forward(uint point)
    {
        Cumulative = point;
        _gaps.RemoveAll(gap => !Serial.Less(point, gap.End));
        if (_gaps.Count > 0 && !Serial.Less(point + 1, _gaps[0].Start))
        {
            Cumulative = _gaps[0].End;
            _gaps.RemoveAt(0);
        }
    }

    public void WriteSack(PacketWriter writer, uint window)
    {
        var room = Math.Max(0, (writer.Room - 12) / 4);
        var gaps = Math.Min(_gaps.Count, Math.Max(room, 16));
        while (gaps > 0 && _gaps[gaps - 1].End - Cumulative > ushort.MaxValue)
        {
            gaps--;
        }

        var duplicates = Math.Min(_duplicates.Count, Math.Max(0, room - gaps));
        var value = writer.Add(ChunkType.Sack, 0, 12 + (4 * (gaps + duplicates)));
        BinaryPrimitives.WriteUInt32BigEndian(value, Cumulative);
        BinaryPrimitives.WriteUInt32BigEndian(value[4..], window);
        BinaryPrimitives.WriteUInt16BigEndian(value[8..], (ushort)gaps);
        BinaryPrimitives.WriteUInt16BigEndian(value[10..], (ushort)duplicates);
        value = value[12..];
        for (var i = 0; i < gaps; i++, value = value[4..])
        {
            BinaryPrimitives.WriteUInt16BigEndian(value, (ushort)(_gaps[i].Start - Cumulative));
            BinaryPrimitives.WriteUInt16BigEndian(value[2..], (ushort)(_gaps[i].End - Cumulative));
        }

        for (var i = 0; i < duplicates; i++, value = value[4..])
        {
            BinaryPrimitives.WriteUInt32BigEndian(value, _duplicates[i]);
        }

        _duplicates.Clear();
    }

    public bool IsKnown(uint tsn)
    {
        if (!Serial.Less(Cumulative, tsn))
        {
            return true;
        }

        foreach (var (start, end) in _gaps)
        {
            if (!Serial.Less(tsn, start) && !Serial.Less(end, tsn))
            {
                return true;
            }
        }

        return false;
    }

    /// <returns>False when it would exceed the maximum number of gaps.</returns>
    public bool Note(uint tsn)
    {
        if (tsn == Cumulative + 1)
        {
            Cumulative = tsn;
            if (_gaps.Count > 0 && _gaps[0].Start == tsn + 1)
            {
                Cumulative = _gaps[0].End;
                _gaps.RemoveAt(0);
            }

            return true;
        }

        var at = 0;
        while (at < _gaps.Count && Serial.Less(_gaps[at].End, tsn))
        {
            at++;
        }

        var joinsLeft = at > 0 && _gaps[at - 1].End + 1 == tsn;
        var joinsRight = at < _gaps.Count && _gaps[at].Start == tsn + 1;
        switch (joinsLeft, joinsRight)
        {
            case (true, true):
                _gaps[at - 1] = (_gaps[at - 1].Start, _gaps[at].End);
                _gaps.RemoveAt(at);
                break;
            case (true, false):
                _gaps[at - 1] = (_gaps[at - 1].Start, tsn);
                break;
            case (false, true):
                _gaps[at] = (tsn, _gaps[at].End);
                break;
            default:
                if (_gaps.Count >= MaxGaps)
                {
                    return false;
                }

                _gaps.Insert(at, (tsn, tsn));
                break;
        }

        return true;
    }
}
