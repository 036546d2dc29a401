using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>One outgoing user message. Times are in milliseconds on the association's clock.</summary>
internal sealed class OutboundMessage(ushort stream, uint ppid, byte[] payload)
{
    public ushort Stream { get; } = stream;

    public uint Ppid { get; } = ppid;

    public byte[] Payload { get; } = payload;

    public DataChannel? Channel { get; init; }

    public bool Unordered { get; init; }

    /// <summary>Resends of any one chunk before the message is abandoned (RFC 7496 section 4.2).</summary>
    public int MaxRetransmits { get; init; } = int.MaxValue;

    public double ExpiresAt { get; init; } = double.PositiveInfinity;

    public ushort Ssn { get; set; }

    public int SentBytes { get; set; }

    public bool Abandoned { get; set; }
}

/// <summary>One DATA chunk that has been sent and is not yet covered by the peer's cumulative TSN.</summary>
internal sealed class OutboundChunk(uint tsn, OutboundMessage message, int offset, int length)
{
    public uint Tsn { get; } = tsn;

    public OutboundMessage Message { get; } = message;

    public int Offset { get; } = offset;

    public int Length { get; } = length;

    public bool IsFirst => Offset == 0;

    public bool IsLast => Offset + Length == Message.Payload.Length;

    public int Transmissions { get; set; }

    public int Misses { get; set; }

    public bool Acked { get; set; }

    /// <summary>Counted in the flight size.</summary>
    public bool InFlight { get; set; }

    public bool Retransmit { get; set; }

    public double SentAt { get; set; }
}

/// <summary>
/// Messages waiting to be sent. Streams take turns message by message, so a long message delays other channels by its own length at most.
/// </summary>
internal sealed class SendQueue
{
    private sealed class Stream
    {
        public Queue<OutboundMessage> Messages { get; } = new();

        public ushort NextSsn { get; set; }
    }

    private readonly Dictionary<ushort, Stream> _streams = [];
    private readonly Queue<ushort> _turns = new();
    private OutboundMessage? _current;

    /// <summary>Bytes not yet put into a chunk.</summary>
    public long Bytes { get; private set; }

    public bool IsEmpty => _current is null && _turns.Count == 0;

    public void Enqueue(OutboundMessage message)
    {
        var stream = Of(message.Stream);
        stream.Messages.Enqueue(message);
        if (stream.Messages.Count == 1)
        {
            _turns.Enqueue(message.Stream);
        }

        Bytes += message.Payload.Length;
    }

    public bool HasMessagesOf(ushort stream) =>
        _current?.Stream == stream || (_streams.TryGetValue(stream, out var found) && found.Messages.Count > 0);

    /// <summary>The message to cut the next chunk from, or null. Messages whose lifetime has ended are dropped unsent.</summary>
    public OutboundMessage? Peek(double now)
    {
        while (true)
        {
            if (_current is { } current)
            {
                if (!current.Abandoned)
                {
                    return current;
                }

                Drop(current);
                _current = null;
            }

            if (!_turns.TryDequeue(out var id))
            {
                return null;
            }

            var stream = _streams[id];
            var next = stream.Messages.Dequeue();
            if (stream.Messages.Count > 0)
            {
                _turns.Enqueue(id);
            }

            if (now >= next.ExpiresAt)
            {
                Drop(next);
                continue;
            }

            if (!next.Unordered)
            {
                next.Ssn = stream.NextSsn++;
            }

            _current = next;
        }
    }

    /// <summary>Cuts the next chunk off the message returned by <see cref="Peek"/>.</summary>
    public OutboundChunk Cut(OutboundMessage message, uint tsn, int maxLength)
    {
        var length = Math.Min(maxLength, message.Payload.Length - message.SentBytes);
        var chunk = new OutboundChunk(tsn, message, message.SentBytes, length);
        message.SentBytes += length;
        Bytes -= length;
        message.Channel?.Unbuffer(length);
        if (message.SentBytes == message.Payload.Length)
        {
            _current = null;
        }

        return chunk;
    }

    /// <summary>After a reset, the stream's sequence numbers start at 0 again (RFC 6525 section 5.2.2).</summary>
    public void ResetStream(ushort stream) => _streams.Remove(stream);

    public void Clear()
    {
        _streams.Clear();
        _turns.Clear();
        _current = null;
        Bytes = 0;
    }

    private void Drop(OutboundMessage message)
    {
        var rest = message.Payload.Length - message.SentBytes;
        Bytes -= rest;
        message.Channel?.Unbuffer(rest);
    }

    private Stream Of(ushort id)
    {
        if (!_streams.TryGetValue(id, out var stream))
        {
            _streams[id] = stream = new Stream();
        }

        return stream;
    }
}

/// <summary>Retransmission time-out from measured round trips (RFC 9260 section 6.3.1), in milliseconds.</summary>
internal sealed class RetransmissionTimeout(SctpOptions options)
{
    private double _smoothed = -1;
    private double _variance;

    public double Value { get; private set; } = options.RtoInitial.TotalMilliseconds;

    /// <summary>Smoothed round trip time in milliseconds, 0 before the first measurement.</summary>
    public double RoundTrip => Math.Max(0, _smoothed);

    public void Measure(double roundTrip)
    {
        if (_smoothed < 0)
        {
            _smoothed = roundTrip;
            _variance = roundTrip / 2;
        }
        else
        {
            _variance = (0.75 * _variance) + (0.25 * Math.Abs(_smoothed - roundTrip));
            _smoothed = (0.875 * _smoothed) + (0.125 * roundTrip);
        }

        Value = Bound(_smoothed + (4 * _variance));
    }

    public void BackOff() => Value = Bound(Value * 2);

    private double Bound(double value) => Math.Clamp(value, options.RtoMin.TotalMilliseconds, options.RtoMax.TotalMilliseconds);
}

/// <summary>The fixed part of a DATA chunk (RFC 9260 section 3.3.1).</summary>
internal static class DataHeader
{
    public const int Length = 12;
    public const byte End = 1;
    public const byte Begin = 2;
    public const byte Unordered = 4;
    public const byte Immediate = 8;

    public static void Write(PacketWriter writer, OutboundChunk chunk, bool immediate)
    {
        var message = chunk.Message;
        var flags =
            (chunk.IsLast ? End : 0) | (chunk.IsFirst ? Begin : 0) | (message.Unordered ? Unordered : 0) | (immediate ? Immediate : 0);
        var value = writer.Add(ChunkType.Data, (byte)flags, Length + chunk.Length);
        BinaryPrimitives.WriteUInt32BigEndian(value, chunk.Tsn);
        BinaryPrimitives.WriteUInt16BigEndian(value[4..], message.Stream);
        BinaryPrimitives.WriteUInt16BigEndian(value[6..], message.Ssn);
        BinaryPrimitives.WriteUInt32BigEndian(value[8..], message.Ppid);
        message.Payload.AsSpan(chunk.Offset, chunk.Length).CopyTo(value[Length..]);
    }
}
