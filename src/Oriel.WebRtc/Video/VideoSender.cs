using Oriel.WebRtc.CongestionControl;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Rtp;
using Oriel.WebRtc.Srtp;

namespace Oriel.WebRtc.Video;

/// <summary>
/// One peer's video stream: packetizes, paces, keeps a history for resends, and reports. Owned by the peer's loop. Times are in
/// microseconds of the peer's clock. The history doubles as the pacer's queue: packets from <c>_next</c> to <c>_end</c> are not sent yet,
/// the ones before are history.
/// </summary>
internal sealed class VideoSender
{
    private const int MaxPacket = 1200;
    private const int HistorySize = 4096; // a power of two; two key frames of the largest size, or 3 s at 12 Mbit/s
    private const int HistoryMask = HistorySize - 1;
    private const byte MaxResends = 8;
    private const long HistoryTime = 3_000_000;
    private const long WindowWait = 20_000;

    // What the path's queue, and asking for a lost packet again, may take.
    private const long KeyFramePatience = 300_000;

    // On a lossy path a resend is sent twice. If a single one were lost, the peer would ask again only after its own estimate of a round
    // trip (Chromium: 100 ms).
    private const int MostResentTwice = 16;

    // At most this many of the last packets are repeated without a request, so most of a key frame is not.
    private const ulong MostRepeated = 64;
    private const double RateTime = 500_000;

    private readonly VideoParameters _parameters;
    private readonly SrtpContext _srtp;
    private readonly BandwidthEstimator _bandwidth;
    private readonly Action<ReadOnlyMemory<byte>> _send;
    private readonly VideoPackets _packets;
    private readonly Pacer _pacer = new();
    private readonly ResendQueue _resends = new();
    private readonly MediaPacket[] _history = new MediaPacket[HistorySize];
    private readonly List<MediaPacket> _frame = [];
    private readonly byte[] _buffer = new byte[2048];
    private readonly int _maxPayload;
    private long _lastMedia = long.MinValue / 2;
    private ulong _next;
    private ulong _end;
    private ulong _oldest;
    private ulong _repeat;
    private ulong _repeatEnd;
    private double _mediaRate;
    private long _lastEnqueued;
    private ulong _keyFrameEnd;
    private int _keyFrameTarget;
    private long _keyFrameSentAt = long.MinValue / 2;
    private ulong _rtxNext = 1;
    private ushort _transportSequence;
    private ushort _pictureId = (ushort)Random.Shared.Next(0x8000);
    private bool _needsKeyFrame = true;

    public VideoSender(
        VideoParameters parameters,
        uint ssrc,
        uint rtxSsrc,
        SrtpContext srtp,
        BandwidthEstimator bandwidth,
        Action<ReadOnlyMemory<byte>> send
    )
    {
        _parameters = parameters;
        _srtp = srtp;
        _bandwidth = bandwidth;
        _send = send;
        _packets = new VideoPackets(parameters);
        bandwidth.ExpectsFeedback = parameters.TransportFeedback && _packets.HasTransportSequence;
        _maxPayload = MaxPacket - _packets.HeaderLength - 2 - SrtpCipher.MaxOverhead;
        Ssrc = ssrc;
        RtxSsrc = rtxSsrc;
        // below half, so that the first roll-over is unambiguous (RFC 3711 section 3.3.1)
        _next = _end = _oldest = (ulong)Random.Shared.Next(1, 0x7000);
    }

    public uint Ssrc { get; }
    public uint RtxSsrc { get; }
    public SenderCounters Counters { get; } = new();
    public int QueuedBytes { get; private set; }

    /// <summary>The newest frame's RTP timestamp, and when it was enqueued.</summary>
    public (uint Rtp, long At) LastFrame { get; private set; }

    /// <summary>Queues a frame. False when it was dropped and a key frame is needed to continue.</summary>
    public bool Enqueue(in EncodedVideo frame, long now)
    {
        if (_needsKeyFrame && !frame.IsKeyFrame)
        {
            Counters.FramesDropped++;
            return false;
        }

        if (frame.IsKeyFrame)
        {
            DropQueued(); // a key frame replaces all of it
        }

        _frame.Clear();
        if (_parameters.Codec == VideoCodec.Vp8)
        {
            _pictureId = (ushort)((_pictureId + 1) & 0x7FFF);
            Vp8Packetizer.Packetize(frame.Data, _maxPayload, _pictureId, _frame);
        }
        else
        {
            H264Packetizer.Packetize(frame.Data, _maxPayload, _frame);
        }

        if (
            _frame.Count > HistorySize / 2
            || (int)(_end - _next) + _frame.Count > HistorySize / 2
            || (!frame.IsKeyFrame && _pacer.IsOverfull(QueuedBytes, _bandwidth.PacingRate))
        )
        {
            _needsKeyFrame = true;
            Counters.FramesDropped++;
            return false;
        }

        _needsKeyFrame = false;
        var waiting = QueuedBytes;
        if (frame.IsKeyFrame)
        {
            _keyFrameEnd = _end + (ulong)_frame.Count;
            _keyFrameTarget = _bandwidth.Target;
        }

        foreach (var packet in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_frame))
        {
            ref var slot = ref _history[_end++ & HistoryMask];
            slot = packet;
            slot.Timestamp = frame.RtpTimestamp;
            QueuedBytes += packet.PayloadLength;
        }

        _frame.Clear();
        _mediaRate = (_mediaRate * Math.Exp(-(now - _lastEnqueued) / RateTime)) + ((QueuedBytes - waiting) * 8e6 / RateTime);
        _lastEnqueued = now;
        LastFrame = (frame.RtpTimestamp, now);
        Counters.FramesSent++;
        return true;
    }

    /// <summary>A frame was lost before it got here: later frames cannot be decoded without a key frame.</summary>
    public void RequireKeyFrame() => _needsKeyFrame = true;

    /// <summary>True while frames are dropped for lack of a key frame and the queue is short enough to take one.</summary>
    public bool WantsKeyFrame => _needsKeyFrame && _pacer.IsNearlyEmpty(QueuedBytes, _bandwidth.PacingRate);

    /// <summary>
    /// Whether the last key frame is still leaving, or has left so lately that the peer cannot have it yet. Another one would take its
    /// place and come later still.
    /// </summary>
    public bool HasKeyFrameOnItsWay(long now, long roundTrip) =>
        _next < _keyFrameEnd || now - _keyFrameSentAt < roundTrip + KeyFramePatience;

    /// <summary>
    /// Sends what the pacer allows. Returns when to call it again, or <see cref="long.MaxValue"/> to wait for the next frame.
    /// </summary>
    public long Pump(long now)
    {
        _pacer.Refill(now, _bandwidth.PacingRate);
        if (_bandwidth.Target < _keyFrameTarget / 2 && Pacer.IsLong(QueuedBytes, _bandwidth.PacingRate))
        {
            // The path is far thinner than the key frame was made for: another one, made for it, is there sooner than the rest of this.
            DropQueued();
            _keyFrameEnd = _next;
            _keyFrameTarget = 0;
            _needsKeyFrame = true;
            Counters.FramesDropped++;
        }

        while (_resends.Count > 0 || _next < _end || _repeat < _repeatEnd)
        {
            if (!_pacer.HasBudget)
            {
                return now + _pacer.MicrosecondsToBudget(_bandwidth.PacingRate);
            }

            if (!_bandwidth.MaySend(now))
            {
                return now + WindowWait; // feedback wakes the loop before that
            }

            if (_resends.Count > 0)
            {
                Resend(_resends.Take(), now);
            }
            else if (_next < _end)
            {
                SendNext(now);
            }
            else
            {
                Send(_repeat++, now);
                Counters.PacketsRepeated++;
            }
        }

        return long.MaxValue;
    }

    /// <summary>The peer is missing these packets.</summary>
    public void OnNack(ReadOnlySpan<ushort> lost, long now, long roundTrip)
    {
        if (_parameters.RtxPayloadType is null)
        {
            return; // an SRTP index must never encrypt two different packets; the peer asks for a key frame instead
        }

        Span<ulong> twice = stackalloc ulong[MostResentTwice];
        var accepted = 0;
        foreach (var sequence in lost)
        {
            Counters.NacksReceived++;
            var index = _next - 1 - (ushort)((ushort)(_next - 1) - sequence);
            ref var packet = ref _history[index & HistoryMask];
            var isKept = index >= _oldest && index < _next && _end - index <= HistorySize && now - packet.FirstSent < HistoryTime;
            // A request that crossed with the last resend is not a new loss.
            if (
                !isKept
                || packet.Resends >= MaxResends
                || (packet.Resends > 0 && now - packet.LastSent < Math.Max(roundTrip / 2, 5_000))
                || !_resends.TryAdd(index)
            )
            {
                Counters.ResendsRefused++;
                continue;
            }

            packet.Resends++;
            packet.LastSent = now;
            if (accepted++ < MostResentTwice)
            {
                twice[accepted - 1] = index;
            }
        }

        if (_bandwidth.IsLossy && accepted <= MostResentTwice)
        {
            foreach (var index in twice[..accepted])
            {
                _resends.TryAdd(index);
            }
        }
    }

    /// <summary>Releases packets that are too old to be requested.</summary>
    public void Trim(long now)
    {
        while (_oldest < _next && (now - _history[_oldest & HistoryMask].FirstSent > HistoryTime || _end - _oldest > HistorySize))
        {
            _history[_oldest++ & HistoryMask] = default;
        }

        _repeat = Math.Max(_repeat, _oldest);
    }

    /// <summary>
    /// Whether nothing is queued, the peer has the last packet sent, and no packet was sent and no NACK came for <paramref name="age"/>.
    /// </summary>
    public bool IsAtRest(long now, long age, int highestReceived, long lastNack) =>
        _next == _end && _next > 0 && highestReceived == (ushort)(_next - 1) && now - Math.Max(_lastMedia, lastNack) > age;

    /// <summary>Writes a sender report into <paramref name="buffer"/>; returns its length.</summary>
    public int WriteReport(Span<byte> buffer, long now, ulong ntp, ReadOnlySpan<byte> cname)
    {
        var rtp = LastFrame.Rtp + (uint)((now - LastFrame.At) * 9 / 100);
        return RtcpWriter.SenderReport(buffer, Ssrc, ntp, rtp, (uint)Counters.PacketsSent, (uint)Counters.PayloadBytes, cname);
    }

    private void SendNext(long now)
    {
        ref var packet = ref _history[_next & HistoryMask];
        packet.FirstSent = packet.LastSent = _lastMedia = now;
        QueuedBytes -= packet.PayloadLength;
        var length = Send(packet, _next, Ssrc, null, now);
        _next++;
        if (_next == _keyFrameEnd)
        {
            _keyFrameSentAt = now;
        }

        Counters.PacketsSent++;
        Counters.PayloadBytes += packet.PayloadLength;
        Counters.BytesSent += length;
        PlanRepeat(packet.Marker, now);
    }

    // On a lossy path with room to spare, every packet is sent twice, the second time after its frame, so hardly any frame waits for a
    // round trip.
    private void PlanRepeat(bool endsFrame, long now)
    {
        if (!endsFrame)
        {
            return;
        }

        var may = _parameters.RtxPayloadType is not null && _bandwidth.MayRepeat(_mediaRate, now);
        _repeat = may ? Math.Max(_repeat, Math.Max(_oldest, _next - Math.Min(_next, MostRepeated))) : _next;
        _repeatEnd = _next;
    }

    private void Resend(ulong index, long now)
    {
        ref var packet = ref _history[index & HistoryMask];
        if (index < _oldest || _end - index > HistorySize)
        {
            return;
        }

        if (!_resends.TrySpend(packet.PayloadLength, _bandwidth.Target, now))
        {
            Counters.ResendsRefused++;
            return;
        }

        packet.LastSent = now;
        Send(index, now);
        Counters.PacketsResent++;
    }

    private void Send(ulong index, long now) =>
        Counters.BytesSent += Send(_history[index & HistoryMask], _rtxNext++, RtxSsrc, (ushort)index, now);

    private int Send(in MediaPacket packet, ulong index, uint ssrc, ushort? original, long now)
    {
        var transportSequence = ++_transportSequence;
        var length = _packets.Write(_buffer, packet, (ushort)index, ssrc, original, transportSequence, now);
        length = _srtp.ProtectRtp(_buffer, _packets.HeaderLength, length, index);
        _bandwidth.OnSent(transportSequence, length, now);
        _pacer.Spend(length);
        _send(_buffer.AsMemory(0, length));
        return length;
    }

    private void DropQueued()
    {
        // Sequence numbers must have no gaps, so packets that were never sent give theirs back.
        for (; _end > _next; _end--)
        {
            _history[(_end - 1) & HistoryMask] = default;
        }

        QueuedBytes = 0;
    }
}

/// <summary>Written by the loop, read by any thread. Each value is a single word, so it is never read half-written.</summary>
internal sealed class SenderCounters
{
    public long FramesSent;
    public long FramesDropped;
    public long PacketsSent;
    public long PayloadBytes;
    public long BytesSent;
    public long PacketsResent;
    public long PacketsRepeated;
    public long NacksReceived;
    public long ResendsRefused;
}
