using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>
/// Stream re-configuration (RFC 6525) as far as data channels need it: each side resets its own outgoing streams (RFC 8831 section 6.7).
/// One request is outstanding at a time. Not safe for concurrent use.
/// </summary>
internal sealed class StreamReset(RetransmissionTimeout rto, Transmitter transmitter, InboundData inbound)
{
    private const ushort OutgoingResetRequest = 13;
    private const ushort IncomingResetRequest = 14;
    private const ushort SsnTsnResetRequest = 15;
    private const ushort Response = 16;
    private const ushort AddOutgoingRequest = 17;
    private const ushort AddIncomingRequest = 18;
    private const uint ResultNothing = 0;
    private const uint ResultPerformed = 1;
    private const uint ResultDenied = 2;
    private const uint ResultBadSequence = 5;
    private const uint ResultInProgress = 6;
    private const int MaxStreamsPerRequest = 128;

    private readonly List<ushort> _waiting = [];
    private ushort[] _requested = [];
    private uint _requestSequence;
    private uint _requestLastTsn;
    private uint _nextRequest;
    private uint _expectedFromPeer;
    private uint _lastResult;

    /// <summary>When the outstanding request is sent again, in milliseconds; infinity when there is none.</summary>
    public double Deadline { get; private set; } = double.PositiveInfinity;

    public int Errors { get; private set; }

    /// <summary>The peer has reset its outgoing streams; all of them when the list is empty.</summary>
    public event Action<IReadOnlyList<ushort>>? PeerReset;

    /// <summary>The peer has answered the reset of these outgoing streams of ours, even if it refused.</summary>
    public event Action<IReadOnlyList<ushort>>? OwnReset;

    /// <summary>The peer asks for these streams of ours to be reset.</summary>
    public event Action<IReadOnlyList<ushort>>? ResetRequested;

    public void Start(uint localInitialTsn, uint remoteInitialTsn)
    {
        _nextRequest = localInitialTsn;
        _expectedFromPeer = remoteInitialTsn;
        _lastResult = ResultPerformed;
        _waiting.Clear();
        _requested = [];
        Deadline = double.PositiveInfinity;
        Errors = 0;
    }

    /// <summary>Resets the outgoing stream once everything queued on it has been sent.</summary>
    public void Request(ushort stream)
    {
        if (!_waiting.Contains(stream) && !_requested.Contains(stream))
        {
            _waiting.Add(stream);
        }
    }

    public void Transmit(double now, PacketWriter writer)
    {
        if (_requested.Length > 0)
        {
            if (now >= Deadline)
            {
                Errors++;
                rto.BackOff();
                WriteRequest(now, writer);
            }

            return;
        }

        var ready = _waiting.Where(stream => !transmitter.Queue.HasMessagesOf(stream)).Take(MaxStreamsPerRequest).ToArray();
        if (ready.Length == 0)
        {
            return;
        }

        _waiting.RemoveAll(ready.Contains);
        _requested = ready;
        _requestSequence = _nextRequest++;
        _requestLastTsn = transmitter.LastAssignedTsn;
        WriteRequest(now, writer);
    }

    /// <returns>False when the chunk is malformed.</returns>
    public bool Receive(ReadOnlySpan<byte> chunk, double now, PacketWriter writer)
    {
        var parameters = new TlvReader(chunk);
        while (parameters.Read())
        {
            var value = parameters.Value;
            if (value.Length < 4)
            {
                return false;
            }

            var sequence = BinaryPrimitives.ReadUInt32BigEndian(value);
            switch (parameters.Tag)
            {
                case OutgoingResetRequest when value.Length >= 12:
                    WriteResponse(writer, sequence, Answer(sequence, () => ResultPerformed, value));
                    break;
                case IncomingResetRequest:
                    WriteResponse(writer, sequence, AnswerResetRequest(sequence, value));
                    break;
                case SsnTsnResetRequest or AddOutgoingRequest or AddIncomingRequest:
                    WriteResponse(writer, sequence, Answer(sequence, () => ResultDenied, default));
                    break;
                case Response when value.Length >= 8:
                    OnResponse(sequence, BinaryPrimitives.ReadUInt32BigEndian(value[4..]), now);
                    break;
                default:
                    return false;
            }
        }

        return !parameters.Malformed;
    }

    private uint Answer(uint sequence, Func<uint> verdict, ReadOnlySpan<byte> outgoing)
    {
        var again = sequence == _expectedFromPeer - 1;
        if (!again && sequence != _expectedFromPeer)
        {
            return ResultBadSequence;
        }

        if (again && _lastResult != ResultInProgress)
        {
            return _lastResult;
        }

        _expectedFromPeer = sequence + 1;
        if (!outgoing.IsEmpty && Serial.Less(inbound.CumulativeTsn, BinaryPrimitives.ReadUInt32BigEndian(outgoing[8..])))
        {
            return _lastResult = ResultInProgress;
        }

        _lastResult = verdict();
        if (!outgoing.IsEmpty)
        {
            PerformPeerReset(ReadStreams(outgoing[12..]));
        }

        return _lastResult;
    }

    private uint AnswerResetRequest(uint sequence, ReadOnlySpan<byte> value)
    {
        var fresh = sequence == _expectedFromPeer;
        var result = Answer(sequence, () => ResultPerformed, default);
        if (fresh)
        {
            ResetRequested?.Invoke(ReadStreams(value[4..]));
        }

        return result;
    }

    private void PerformPeerReset(IReadOnlyList<ushort> streams)
    {
        foreach (var stream in streams.Count == 0 ? inbound.KnownStreams.ToArray() : streams)
        {
            inbound.ResetStream(stream);
        }

        PeerReset?.Invoke(streams);
    }

    private void OnResponse(uint sequence, uint result, double now)
    {
        if (_requested.Length == 0 || sequence != _requestSequence)
        {
            return;
        }

        Errors = 0;
        if (result == ResultInProgress)
        {
            Deadline = now + rto.Value;
            return;
        }

        var streams = _requested;
        _requested = [];
        Deadline = double.PositiveInfinity;
        if (result is ResultPerformed or ResultNothing)
        {
            foreach (var stream in streams)
            {
                transmitter.Queue.ResetStream(stream);
            }
        }

        OwnReset?.Invoke(streams);
    }

    private void WriteRequest(double now, PacketWriter writer)
    {
        var length = 16 + (2 * _requested.Length);
        var value = writer.Add(ChunkType.ReConfig, 0, length);
        BinaryPrimitives.WriteUInt16BigEndian(value, OutgoingResetRequest);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], (ushort)length);
        BinaryPrimitives.WriteUInt32BigEndian(value[4..], _requestSequence);
        BinaryPrimitives.WriteUInt32BigEndian(value[8..], _expectedFromPeer - 1);
        BinaryPrimitives.WriteUInt32BigEndian(value[12..], _requestLastTsn);
        for (var i = 0; i < _requested.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(value[(16 + (2 * i))..], _requested[i]);
        }

        Deadline = now + rto.Value;
    }

    private static void WriteResponse(PacketWriter writer, uint sequence, uint result)
    {
        var value = writer.Add(ChunkType.ReConfig, 0, 12);
        BinaryPrimitives.WriteUInt16BigEndian(value, Response);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], 12);
        BinaryPrimitives.WriteUInt32BigEndian(value[4..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(value[8..], result);
    }

    private static List<ushort> ReadStreams(ReadOnlySpan<byte> value)
    {
        var streams = new List<ushort>();
        for (; value.Length >= 2; value = value[2..])
        {
            streams.Add(BinaryPrimitives.ReadUInt16BigEndian(value));
        }

        return streams;
    }
}
