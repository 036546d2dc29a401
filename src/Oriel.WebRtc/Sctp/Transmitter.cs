using System.Buffers.Binary;

namespace Oriel.WebRtc.Sctp;

/// <summary>
/// The sending half of an association: outstanding chunks, SACK, retransmission, congestion and flow control (RFC 9260 sections 6 and 7),
/// and abandoning messages (RFC 3758). Not safe for concurrent use: the association's lock guards it.
/// </summary>
internal sealed class Transmitter(SctpOptions options, RetransmissionTimeout rto, int maxPayload)
{
    private const int MissesBeforeRetransmit = 3;

    private readonly List<OutboundChunk> _outstanding = [];
    private readonly CongestionWindow _window = new(options.MaxPacketSize);
    private uint _nextTsn;
    private uint _cumulativeAck;
    private uint _advancedAck;
    private long _flight;
    private long _peerWindow;
    private bool _fastRetransmitPending;
    private bool _forwardPending;
    private bool _peerForwards;

    public SendQueue Queue { get; } = new();

    /// <summary>When T3-rtx fires, in milliseconds; infinity when it is not running.</summary>
    public double Deadline { get; private set; } = double.PositiveInfinity;

    /// <summary>Consecutive time-outs without an acknowledgement of anything new.</summary>
    public int Errors { get; set; }

    public long BufferedBytes { get; private set; }

    public uint LastAssignedTsn => _nextTsn - 1;

    public uint CumulativeAck => _cumulativeAck;

    public bool IsIdle => _outstanding.Count == 0 && Queue.IsEmpty;

    public void Start(uint initialTsn, uint peerWindow, bool peerForwards)
    {
        _outstanding.Clear();
        _nextTsn = initialTsn;
        _cumulativeAck = _advancedAck = initialTsn - 1;
        _flight = 0;
        _peerWindow = peerWindow;
        _peerForwards = peerForwards;
        _window.Start(peerWindow);
        _fastRetransmitPending = _forwardPending = false;
        Deadline = double.PositiveInfinity;
        Errors = 0;
        Recount();
    }

    public void Enqueue(OutboundMessage message)
    {
        Queue.Enqueue(message);
        BufferedBytes += message.Payload.Length;
    }

    /// <summary>Sends what the windows allow: FORWARD TSN, then resends, then new data.</summary>
    public void Transmit(double now, PacketWriter writer)
    {
        AdvanceAckPoint();
        if (_forwardPending)
        {
            _forwardPending = false;
            ForwardTsn.Write(writer, _outstanding, _cumulativeAck, _advancedAck);
            StartTimer(now);
        }

        Resend(now, writer);
        while (_flight < _window.Size && Queue.Peek(now) is { } message)
        {
            var length = Math.Min(maxPayload, message.Payload.Length - message.SentBytes);
            if (length > _peerWindow && _flight > 0)
            {
                break;
            }

            var chunk = Queue.Cut(message, _nextTsn++, length);
            _outstanding.Add(chunk);
            Send(chunk, now, writer);
            if (_peerWindow < 0)
            {
                _peerWindow = 0;
                break;
            }
        }

        Recount();
    }

    /// <returns>False when the SACK is malformed or acknowledges data that was never sent.</returns>
    public bool OnSack(ReadOnlySpan<byte> value, double now)
    {
        if (value.Length < 12)
        {
            return false;
        }

        var cumulative = BinaryPrimitives.ReadUInt32BigEndian(value);
        var window = BinaryPrimitives.ReadUInt32BigEndian(value[4..]);
        var gapCount = BinaryPrimitives.ReadUInt16BigEndian(value[8..]);
        if (value.Length < 12 + (4 * gapCount) || Serial.Less(LastAssignedTsn, cumulative))
        {
            return false;
        }

        if (Serial.Less(cumulative, _cumulativeAck))
        {
            return true;
        }

        var flightBefore = _flight;
        var advanced = Serial.Less(_cumulativeAck, cumulative);
        var acked = AckCumulative(cumulative, now);
        acked += AckGaps(cumulative, value.Slice(12, 4 * gapCount), now, out var highestNew);
        CountMisses(highestNew, advanced);
        if (acked > 0 || advanced || window == 0)
        {
            Errors = 0;
        }

        _peerWindow = Math.Max(0, window - _flight);
        if (advanced)
        {
            _window.Grow(acked, flightBefore, _flight);
        }

        AdvanceAckPoint();
        _forwardPending = Serial.Less(_cumulativeAck, _advancedAck);
        if (_outstanding.Count == 0)
        {
            Deadline = double.PositiveInfinity;
        }
        else if (advanced)
        {
            Deadline = now + rto.Value;
        }

        Recount();
        return true;
    }

    /// <summary>SHUTDOWN carries only a cumulative acknowledgement.</summary>
    public void OnCumulativeAck(uint cumulative, double now)
    {
        if (Serial.Less(_cumulativeAck, cumulative) && !Serial.Less(LastAssignedTsn, cumulative))
        {
            AckCumulative(cumulative, now);
            Deadline = _outstanding.Count == 0 ? double.PositiveInfinity : now + rto.Value;
            Recount();
        }
    }

    /// <summary>T3-rtx has fired (RFC 9260 section 6.3.3).</summary>
    public void OnTimeout(double now)
    {
        Errors++;
        rto.BackOff();
        Deadline = double.PositiveInfinity;
        _window.OnTimeout();
        foreach (var chunk in _outstanding)
        {
            if (!chunk.Acked)
            {
                MarkLost(chunk, now);
            }
        }

        AdvanceAckPoint();
        _forwardPending = Serial.Less(_cumulativeAck, _advancedAck);
        if (_outstanding.Count > 0)
        {
            StartTimer(now);
        }
    }

    public void Stop()
    {
        _outstanding.Clear();
        Queue.Clear();
        Deadline = double.PositiveInfinity;
        BufferedBytes = _flight = 0;
    }

    private void Send(OutboundChunk chunk, double now, PacketWriter writer)
    {
        DataHeader.Write(writer, chunk, immediate: Queue.IsEmpty && chunk.IsLast);
        chunk.Transmissions++;
        chunk.Retransmit = false;
        chunk.Misses = 0;
        chunk.SentAt = now;
        if (!chunk.InFlight)
        {
            chunk.InFlight = true;
            _flight += chunk.Length;
            _peerWindow -= chunk.Length;
        }

        StartTimer(now);
    }

    private void Resend(double now, PacketWriter writer)
    {
        // RFC 9260 section 7.2.4 (3): the first packet of a fast retransmit leaves regardless of the window.
        var allowance = _fastRetransmitPending ? options.MaxPacketSize : 0;
        _fastRetransmitPending = false;
        foreach (var chunk in _outstanding)
        {
            if (!chunk.Retransmit)
            {
                continue;
            }

            if (_flight >= _window.Size && allowance < chunk.Length)
            {
                break;
            }

            allowance -= chunk.Length;
            if (chunk == _outstanding[0])
            {
                Deadline = now + rto.Value;
            }

            Send(chunk, now, writer);
        }
    }

    private long AckCumulative(uint cumulative, double now)
    {
        long acked = 0;
        var count = 0;
        while (count < _outstanding.Count && !Serial.Less(cumulative, _outstanding[count].Tsn))
        {
            acked += Ack(_outstanding[count++], now);
        }

        _outstanding.RemoveRange(0, count);
        _cumulativeAck = cumulative;
        _window.OnAdvance(cumulative);
        return acked;
    }

    private long AckGaps(uint cumulative, ReadOnlySpan<byte> gaps, double now, out uint highestNew)
    {
        long acked = 0;
        highestNew = cumulative;
        var index = 0;
        for (; !gaps.IsEmpty; gaps = gaps[4..])
        {
            var start = cumulative + BinaryPrimitives.ReadUInt16BigEndian(gaps);
            var end = cumulative + BinaryPrimitives.ReadUInt16BigEndian(gaps[2..]);
            for (; index < _outstanding.Count && !Serial.Less(end, _outstanding[index].Tsn); index++)
            {
                var chunk = _outstanding[index];
                if (Serial.Less(chunk.Tsn, start))
                {
                    Renege(chunk);
                }
                else if (!chunk.Acked)
                {
                    acked += Ack(chunk, now);
                    highestNew = chunk.Tsn;
                }
            }
        }

        for (; index < _outstanding.Count; index++)
        {
            Renege(_outstanding[index]);
        }

        return acked;
    }

    /// <summary>The peer no longer reports a chunk it had received beyond a gap, so it is missing again.</summary>
    private static void Renege(OutboundChunk chunk)
    {
        if (chunk.Acked && !chunk.Message.Abandoned)
        {
            chunk.Acked = false;
            chunk.Retransmit = true;
        }
    }

    private long Ack(OutboundChunk chunk, double now)
    {
        if (chunk.Acked)
        {
            return 0;
        }

        chunk.Acked = true;
        chunk.Retransmit = false;
        Land(chunk);
        if (chunk.Transmissions == 1 && !chunk.Message.Abandoned)
        {
            rto.Measure(now - chunk.SentAt);
        }

        return chunk.Length;
    }

    /// <summary>Fast retransmit on the third report that something later has arrived (RFC 9260 section 7.2.4).</summary>
    private void CountMisses(uint highestNew, bool advanced)
    {
        var lost = false;
        foreach (var chunk in _outstanding)
        {
            var reported =
                Serial.Less(chunk.Tsn, highestNew) || (_window.InRecovery && advanced && _window.IsBeforeRecoveryExit(chunk.Tsn));
            if (!reported)
            {
                break;
            }

            if (chunk.Acked || chunk.Retransmit || chunk.Message.Abandoned || ++chunk.Misses < MissesBeforeRetransmit)
            {
                continue;
            }

            MarkLost(chunk, chunk.SentAt);
            lost = true;
        }

        if (!lost)
        {
            return;
        }

        _fastRetransmitPending = true;
        _window.OnLoss(LastAssignedTsn);
    }

    private void MarkLost(OutboundChunk chunk, double now)
    {
        Land(chunk);
        var message = chunk.Message;
        if (_peerForwards && !message.Abandoned && (chunk.Transmissions > message.MaxRetransmits || now >= message.ExpiresAt))
        {
            Abandon(message);
        }

        chunk.Retransmit = !message.Abandoned;
    }

    private void Abandon(OutboundMessage message)
    {
        message.Abandoned = true;
        foreach (var chunk in _outstanding)
        {
            if (chunk.Message == message)
            {
                chunk.Retransmit = false;
                Land(chunk);
            }
        }
    }

    private void Land(OutboundChunk chunk)
    {
        if (chunk.InFlight)
        {
            chunk.InFlight = false;
            _flight -= chunk.Length;
        }
    }

    /// <summary>RFC 3758 section 3.5: the point that the peer may skip to.</summary>
    private void AdvanceAckPoint()
    {
        if (Serial.Less(_advancedAck, _cumulativeAck))
        {
            _advancedAck = _cumulativeAck;
        }

        foreach (var chunk in _outstanding)
        {
            if (Serial.Less(_advancedAck, chunk.Tsn))
            {
                if (!chunk.Message.Abandoned)
                {
                    return;
                }

                _advancedAck = chunk.Tsn;
                _forwardPending = true;
            }
        }
    }

    private void StartTimer(double now)
    {
        if (double.IsPositiveInfinity(Deadline))
        {
            Deadline = now + rto.Value;
        }
    }

    private void Recount()
    {
        var bytes = Queue.Bytes;
        foreach (var chunk in _outstanding)
        {
            if (!chunk.Acked && !chunk.Message.Abandoned)
            {
                bytes += chunk.Length;
            }
        }

        BufferedBytes = bytes;
    }
}
