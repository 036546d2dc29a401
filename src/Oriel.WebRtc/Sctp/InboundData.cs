using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>A whole received user message.</summary>
internal readonly record struct InboundMessage(ushort Stream, uint Ppid, byte[] Payload);

/// <summary>What became of a DATA or FORWARD TSN chunk.</summary>
internal enum Intake
{
    Accepted,
    Duplicate,

    /// <summary>Over a bound: not acknowledged, so the peer sends it again.</summary>
    Dropped,
    InvalidStream,
    NoUserData,
    Malformed,
    MessageTooLong,
    OutOfResource,
}

/// <summary>
/// The receiving half: TSNs seen, reassembly, order within streams (RFC 9260 sections 6.2 to 6.9) and FORWARD TSN (RFC 3758). Memory is
/// bounded by the receive buffer, a number of gaps and a number of fragments. Not safe for concurrent use.
/// </summary>
internal sealed class InboundData(SctpOptions options, Action<InboundMessage> deliver)
{
    private const int MaxAhead = 16384;
    private const int MaxPieces = 4096;
    private const int PieceOverhead = 64;

    private sealed record Fragment(uint Tsn, byte Flags, ushort Stream, ushort Ssn, uint Ppid, byte[] Payload)
    {
        public bool IsFirst => (Flags & DataHeader.Begin) != 0;

        public bool IsLast => (Flags & DataHeader.End) != 0;

        public bool Unordered => (Flags & DataHeader.Unordered) != 0;
    }

    private sealed class Stream
    {
        public ushort NextSsn { get; set; }

        public Dictionary<ushort, InboundMessage> Held { get; } = [];
    }

    private readonly TsnTracker _seen = new();
    private readonly List<Fragment> _fragments = [];
    private readonly Dictionary<ushort, Stream> _streams = [];
    private long _buffered;
    private int _held;

    public uint CumulativeTsn => _seen.Cumulative;

    public bool HasGaps => _seen.HasGaps;

    public long BufferedBytes => _buffered;

    private uint Window => (uint)Math.Max(0, options.ReceiveBuffer - _buffered);

    public void Start(uint initialTsn)
    {
        _seen.Start(initialTsn);
        _fragments.Clear();
        _streams.Clear();
        _buffered = 0;
        _held = 0;
    }

    public Intake Receive(ReadOnlySpan<byte> value, byte flags)
    {
        if (value.Length < DataHeader.Length)
        {
            return Intake.Malformed;
        }

        var tsn = BinaryPrimitives.ReadUInt32BigEndian(value);
        var stream = BinaryPrimitives.ReadUInt16BigEndian(value[4..]);
        var ssn = BinaryPrimitives.ReadUInt16BigEndian(value[6..]);
        var ppid = BinaryPrimitives.ReadUInt32BigEndian(value[8..]);
        var payload = value[DataHeader.Length..];
        if (payload.IsEmpty)
        {
            return Intake.NoUserData;
        }

        if (_seen.IsKnown(tsn))
        {
            _seen.NoteDuplicate(tsn);
            return Intake.Duplicate;
        }

        var isNext = tsn == CumulativeTsn + 1;
        var cost = payload.Length + PieceOverhead;
        if (
            !isNext && (_buffered + cost > options.ReceiveBuffer || tsn - CumulativeTsn > MaxAhead || _fragments.Count + _held >= MaxPieces)
        )
        {
            return Intake.Dropped;
        }

        if (_buffered + cost > options.ReceiveBuffer + options.MaxMessageSize || _fragments.Count + _held >= 2 * MaxPieces)
        {
            return Intake.OutOfResource;
        }

        if (!_seen.Note(tsn))
        {
            return Intake.Dropped;
        }

        if (stream >= options.MaxStreams)
        {
            return Intake.InvalidStream;
        }

        return Assemble(new Fragment(tsn, flags, stream, ssn, ppid, payload.ToArray()));
    }

    /// <summary>The peer has abandoned everything up to a TSN, and in each named stream up to an SSN.</summary>
    public Intake Forward(ReadOnlySpan<byte> value)
    {
        if (value.Length < 4 || value.Length % 4 != 0)
        {
            return Intake.Malformed;
        }

        var point = BinaryPrimitives.ReadUInt32BigEndian(value);
        if (!Serial.Less(CumulativeTsn, point))
        {
            return Intake.Duplicate;
        }

        if (point - CumulativeTsn > MaxAhead)
        {
            return Intake.Malformed;
        }

        _seen.Forward(point);
        var stale = _fragments.FindIndex(fragment => Serial.Less(point, fragment.Tsn));
        RemoveFragments(0, stale < 0 ? _fragments.Count : stale);
        for (var rest = value[4..]; rest.Length >= 4; rest = rest[4..])
        {
            var id = BinaryPrimitives.ReadUInt16BigEndian(rest);
            if (id < options.MaxStreams)
            {
                Skip(Of(id), BinaryPrimitives.ReadUInt16BigEndian(rest[2..]));
            }
        }

        return Intake.Accepted;
    }

    /// <summary>The peer restarts the stream's sequence numbers at 0.</summary>
    public void ResetStream(ushort id)
    {
        if (_streams.Remove(id, out var stream))
        {
            foreach (var message in stream.Held.Values)
            {
                Release(message.Payload.Length);
                _held--;
            }
        }
    }

    public IEnumerable<ushort> KnownStreams => _streams.Keys;

    public void WriteSack(PacketWriter writer) => _seen.WriteSack(writer, Window);

    private Intake Assemble(Fragment fragment)
    {
        if (fragment.IsFirst && fragment.IsLast)
        {
            return Complete(fragment, fragment.Payload);
        }

        var at = _fragments.Count;
        while (at > 0 && Serial.Less(fragment.Tsn, _fragments[at - 1].Tsn))
        {
            at--;
        }

        _fragments.Insert(at, fragment);
        _buffered += fragment.Payload.Length + PieceOverhead;
        var first = at;
        while (!_fragments[first].IsFirst)
        {
            if (first == 0 || _fragments[first - 1].Tsn != _fragments[first].Tsn - 1)
            {
                return Intake.Accepted;
            }

            if (!Continues(_fragments[first - 1], _fragments[first]))
            {
                return Intake.Malformed;
            }

            first--;
        }

        return Join(first);
    }

    /// <summary>Joins the run that begins at <paramref name="first"/>, if it is whole.</summary>
    private Intake Join(int first)
    {
        long length = 0;
        var last = first;
        while (true)
        {
            length += _fragments[last].Payload.Length;
            if (length > options.MaxMessageSize)
            {
                return Intake.MessageTooLong;
            }

            if (_fragments[last].IsLast)
            {
                break;
            }

            if (last + 1 == _fragments.Count || _fragments[last + 1].Tsn != _fragments[last].Tsn + 1)
            {
                return Intake.Accepted;
            }

            if (!Continues(_fragments[last], _fragments[last + 1]))
            {
                return Intake.Malformed;
            }

            last++;
        }

        var payload = new byte[length];
        var offset = 0;
        for (var i = first; i <= last; i++)
        {
            _fragments[i].Payload.CopyTo(payload, offset);
            offset += _fragments[i].Payload.Length;
        }

        var head = _fragments[first];
        RemoveFragments(first, last - first + 1);
        return Complete(head, payload);
    }

    private static bool Continues(Fragment previous, Fragment next) =>
        !previous.IsLast
        && !next.IsFirst
        && previous.Stream == next.Stream
        && previous.Unordered == next.Unordered
        && (previous.Unordered || previous.Ssn == next.Ssn);

    private Intake Complete(Fragment head, byte[] payload)
    {
        if (payload.Length > options.MaxMessageSize)
        {
            return Intake.MessageTooLong;
        }

        var message = new InboundMessage(head.Stream, head.Ppid, payload);
        if (head.Unordered)
        {
            deliver(message);
            return Intake.Accepted;
        }

        var stream = Of(head.Stream);
        if (stream.NextSsn == head.Ssn)
        {
            stream.NextSsn++;
            deliver(message);
            DeliverHeld(stream);
        }
        else if (Serial.Less16(stream.NextSsn, head.Ssn) && stream.Held.TryAdd(head.Ssn, message))
        {
            _held++;
            _buffered += payload.Length + PieceOverhead;
        }

        return Intake.Accepted;
    }

    private void Skip(Stream stream, ushort ssn)
    {
        if (Serial.Less16(ssn, stream.NextSsn))
        {
            return;
        }

        foreach (
            var held in stream.Held.Keys.Where(key => !Serial.Less16(ssn, key)).OrderBy(key => (ushort)(key - stream.NextSsn)).ToArray()
        )
        {
            Unhold(stream, held);
        }

        stream.NextSsn = (ushort)(ssn + 1);
        DeliverHeld(stream);
    }

    private void DeliverHeld(Stream stream)
    {
        while (stream.Held.ContainsKey(stream.NextSsn))
        {
            Unhold(stream, stream.NextSsn++);
        }
    }

    private void Unhold(Stream stream, ushort ssn)
    {
        stream.Held.Remove(ssn, out var message);
        _held--;
        Release(message.Payload.Length);
        deliver(message);
    }

    private void RemoveFragments(int index, int count)
    {
        for (var i = index; i < index + count; i++)
        {
            Release(_fragments[i].Payload.Length);
        }

        _fragments.RemoveRange(index, count);
    }

    private void Release(int payloadLength) => _buffered -= payloadLength + PieceOverhead;

    private Stream Of(ushort id)
    {
        if (!_streams.TryGetValue(id, out var stream))
        {
            _streams[id] = stream = new Stream();
        }

        return stream;
    }
}
