using System.Buffers.Binary;
using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Sctp;

/// <summary>States of RFC 9260 section 4.</summary>
internal enum AssociationState
{
    Closed,
    CookieWait,
    CookieEchoed,
    Established,
    ShutdownPending,
    ShutdownSent,
    ShutdownReceived,
    ShutdownAckSent,
    Ended,
}

/// <summary>
/// An SCTP association over DTLS (RFC 8261) that carries WebRTC data channels. Either side, or both at once, may start it; a side that
/// does not call <see cref="Start"/> answers. Safe for concurrent use; packets and events leave in order, outside the lock, on whichever
/// thread caused them or on a timer of <paramref name="clock"/>.
/// </summary>
/// <param name="sendPacket">Takes one packet for DTLS; the memory is valid only during the call.</param>
internal sealed class SctpAssociation : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SctpOptions _options;
    private readonly EffectQueue _effects;
    private readonly PacketWriter _writer;
    private readonly RetransmissionTimeout _rto;
    private readonly Transmitter _transmitter;
    private readonly InboundData _inbound;
    private readonly StreamReset _reset;
    private readonly ChannelTable _channels;
    private readonly Handshake _handshake;
    private readonly Heartbeat _heartbeat;
    private readonly Acknowledgement _acks;
    private readonly AssociationClock _clock;
    private AssociationState _state;
    private double _shutdownDeadline = double.PositiveInfinity;
    private int _shutdownErrors;

    public SctpAssociation(SctpOptions options, Action<ReadOnlyMemory<byte>> sendPacket, TimeProvider clock)
    {
        _options = options;
        _effects = new EffectQueue(sendPacket, options.Logger);
        _writer = new PacketWriter(options, _effects.AddPacket);
        _rto = new RetransmissionTimeout(options);
        _transmitter = new Transmitter(options, _rto, _writer.MaxPayload(DataHeader.Length));
        _inbound = new InboundData(options, message => _channels!.Deliver(message));
        _reset = new StreamReset(_rto, _transmitter, _inbound);
        _channels = new ChannelTable(this, options, _transmitter, _reset, _effects);
        _channels.Opened += channel => ChannelOpened?.Invoke(channel);
        _reset.PeerReset += _channels.OnPeerReset;
        _reset.OwnReset += _channels.OnOwnReset;
        _reset.ResetRequested += _channels.OnResetRequested;
        _handshake = new Handshake(options, _writer, _rto);
        _heartbeat = new Heartbeat(options, _rto);
        _acks = new Acknowledgement(options, _inbound);
        _clock = new AssociationClock(clock, OnTimer);
    }

    /// <summary>The peer has opened a channel.</summary>
    public event Action<DataChannel>? ChannelOpened;

    public event Action? Established;

    /// <summary>Raised once, with the reason.</summary>
    public event Action<string>? Closed;

    public AssociationState State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }
    }

    /// <summary>Smoothed round trip time in milliseconds; 0 before the first measurement.</summary>
    public double RoundTripMs
    {
        get
        {
            lock (_lock)
            {
                return _rto.RoundTrip;
            }
        }
    }

    /// <summary>Sends INIT; does nothing when the association is under way or ended.</summary>
    public void Start() =>
        Locked(now =>
        {
            if (_state == AssociationState.Closed)
            {
                _state = AssociationState.CookieWait;
                _handshake.SendInit(now);
            }
        });

    /// <summary>Takes one packet from DTLS. Never throws, whatever the packet holds.</summary>
    public void Receive(ReadOnlySpan<byte> packet)
    {
        lock (_lock)
        {
            if (_state != AssociationState.Ended && SctpWire.HasValidChecksum(packet))
            {
                var now = _clock.Now;
                Process(packet, now);
                Settle(now);
            }
        }

        _effects.Drain();
    }

    /// <summary>Opens a channel; may be called before the association is established. At most one of the two limits may be given.</summary>
    /// <exception cref="InvalidOperationException">All channels are in use, or the association has ended.</exception>
    public DataChannel OpenChannel(
        string label,
        bool ordered = true,
        int? maxRetransmits = null,
        TimeSpan? maxLifetime = null,
        string protocol = ""
    )
    {
        if (maxRetransmits is not null && maxLifetime is not null)
        {
            throw new ArgumentException("A channel is limited by retransmissions or by lifetime, not both.", nameof(maxLifetime));
        }

        DataChannel? channel = null;
        Locked(_ =>
        {
            if (_state == AssociationState.Ended)
            {
                throw new InvalidOperationException("The association has ended.");
            }

            channel = _channels.Open(label, ordered, maxRetransmits, maxLifetime, protocol);
        });
        return channel!;
    }

    /// <summary>Ends the association after everything queued has been acknowledged.</summary>
    public void Shutdown() =>
        Locked(now =>
        {
            if (_state == AssociationState.Established)
            {
                _state = AssociationState.ShutdownPending;
            }
            else if (_state < AssociationState.Established)
            {
                End("shut down");
            }
        });

    /// <summary>Ends the association immediately and tells the peer with an ABORT.</summary>
    public void Dispose() =>
        Locked(_ =>
        {
            if (_state is not (AssociationState.Closed or AssociationState.CookieWait or AssociationState.Ended))
            {
                _writer.Flush();
                _writer.AddAlone(_writer.Tag, ChunkType.Abort, 0, [0, (byte)ErrorCause.UserAbort, 0, 4]);
            }

            End("disposed");
        });

    internal bool TrySend(DataChannel channel, ReadOnlySpan<byte> data, bool text)
    {
        bool sent;
        lock (_lock)
        {
            var now = _clock.Now;
            sent = _state <= AssociationState.Established && _channels.TrySend(channel, data, text, now);
            Settle(now);
        }

        _effects.Drain();
        return sent;
    }

    internal void CloseChannel(DataChannel channel) => Locked(_ => _channels.Close(channel));

    private void Locked(Action<double> action)
    {
        lock (_lock)
        {
            var now = _clock.Now;
            action(now);
            Settle(now);
        }

        _effects.Drain();
    }

    private void Process(ReadOnlySpan<byte> packet, double now)
    {
        var tag = BinaryPrimitives.ReadUInt32BigEndian(packet[4..]);
        _acks.BeginPacket();
        var chunks = new TlvReader(packet[SctpWire.HeaderLength..]);
        while (_state != AssociationState.Ended && chunks.Read())
        {
            // RFC 9260 section 8.5: which tag a packet must carry depends on its chunk; anything else is dropped without an answer.
            var reflected = (chunks.Flags & 1) != 0 && tag == _writer.Tag && _writer.Tag != 0;
            var valid = chunks.ChunkType switch
            {
                ChunkType.Init => tag == 0,
                ChunkType.CookieEcho => true,
                ChunkType.Abort or ChunkType.ShutdownComplete => tag == _handshake.LocalTag || reflected,
                _ => tag == _handshake.LocalTag,
            };
            if (!valid || !Dispatch(chunks.ChunkType, chunks.Flags, chunks.Value, tag, now))
            {
                break;
            }
        }

        _acks.EndPacket(now);
    }

    /// <returns>False to leave the rest of the packet unread.</returns>
    private bool Dispatch(byte type, byte flags, ReadOnlySpan<byte> value, uint tag, double now)
    {
        switch (type)
        {
            case ChunkType.Init:
                _handshake.AnswerInit(value, _state, now);
                return false;
            case ChunkType.InitAck:
                if (_state == AssociationState.CookieWait && _handshake.OnInitAck(value, now) is { } remote)
                {
                    Begin(remote);
                    _state = AssociationState.CookieEchoed;
                }

                return false;
            case ChunkType.CookieEcho:
                return OnCookieEcho(value, tag, now);
            case ChunkType.CookieAck:
                if (_state == AssociationState.CookieEchoed)
                {
                    EnterEstablished(now);
                }

                return true;
            case ChunkType.Abort:
                if (_state != AssociationState.Closed)
                {
                    End("aborted by the peer");
                }

                return false;
            default:
                return _state >= AssociationState.Established && DispatchEstablished(type, flags, value, now);
        }
    }

    private bool DispatchEstablished(byte type, byte flags, ReadOnlySpan<byte> value, double now)
    {
        switch (type)
        {
            case ChunkType.Data:
                return OnIntake(_inbound.Receive(value, flags), value, (flags & DataHeader.Immediate) != 0);
            case ChunkType.ForwardTsn:
                return OnIntake(_inbound.Forward(value), value, immediate: true);
            case ChunkType.Sack:
                if (!_transmitter.OnSack(value, now))
                {
                    Abort(ErrorCause.ProtocolViolation, "a SACK for data that was never sent");
                    return false;
                }

                return true;
            case ChunkType.Heartbeat:
                value.CopyTo(_writer.Add(ChunkType.HeartbeatAck, 0, value.Length));
                return true;
            case ChunkType.HeartbeatAck:
                _heartbeat.OnAck(value, now);
                return true;
            case ChunkType.ReConfig:
                return _reset.Receive(value, now, _writer);
            case ChunkType.Error:
                _options.Logger.LogDebug(
                    "The SCTP peer reports error cause {Cause}.",
                    value.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(value) : 0
                );
                return true;
            case ChunkType.Shutdown or ChunkType.ShutdownAck or ChunkType.ShutdownComplete:
                OnShutdown(type, value, now);
                return true;
            default:
                // The two highest bits say what to do with an unknown chunk (RFC 9260 section 3.2).
                if ((type & 0x40) != 0)
                {
                    ErrorChunk.WriteUnrecognized(_writer, type, flags, value);
                }

                return (type & 0x80) != 0;
        }
    }

    private bool OnCookieEcho(ReadOnlySpan<byte> value, uint tag, double now)
    {
        switch (_handshake.OnCookieEcho(value, tag, _state, now, out var remote))
        {
            case CookieVerdict.Fresh:
                if (_state >= AssociationState.Established)
                {
                    _options.Logger.LogDebug("The SCTP peer has restarted.");
                    _channels.CloseAll();
                    _transmitter.Stop();
                }

                Begin(remote);
                EnterEstablished(now);
                break;
            case CookieVerdict.Known when _state == AssociationState.CookieEchoed:
                EnterEstablished(now);
                break;
            case CookieVerdict.Known:
                break;
            default:
                return false;
        }

        _writer.Add(ChunkType.CookieAck, 0, 0);
        return true;
    }

    private void Begin(InitChunk remote)
    {
        _transmitter.Start(_handshake.InitialTsn, remote.Window, remote.SupportsForwardTsn);
        _inbound.Start(remote.InitialTsn);
        _reset.Start(_handshake.InitialTsn, remote.InitialTsn);
        _writer.Tag = remote.Tag;
    }

    private void EnterEstablished(double now)
    {
        _handshake.Stop();
        _state = AssociationState.Established;
        _heartbeat.Start(now);
        _effects.AddCall(() => Established?.Invoke());
    }

    private bool OnIntake(Intake intake, ReadOnlySpan<byte> value, bool immediate)
    {
        _acks.NoteData(immediate || intake is Intake.Duplicate or Intake.Dropped);
        switch (intake)
        {
            case Intake.Accepted or Intake.Duplicate or Intake.Dropped:
                return true;
            case Intake.InvalidStream:
                ErrorChunk.WriteInvalidStream(_writer, BinaryPrimitives.ReadUInt16BigEndian(value[4..]));
                return true;
            case Intake.NoUserData:
                Abort(ErrorCause.NoUserData, "a DATA chunk without data");
                return false;
            case Intake.OutOfResource:
                Abort(ErrorCause.OutOfResource, "the peer overran the receive buffer");
                return false;
            default:
                Abort(ErrorCause.ProtocolViolation, $"a bad DATA or FORWARD TSN chunk ({intake})");
                return false;
        }
    }

    private void OnShutdown(byte type, ReadOnlySpan<byte> value, double now)
    {
        switch (type)
        {
            case ChunkType.Shutdown when value.Length >= 4:
                _transmitter.OnCumulativeAck(BinaryPrimitives.ReadUInt32BigEndian(value), now);
                if (_state is AssociationState.Established or AssociationState.ShutdownPending)
                {
                    _state = AssociationState.ShutdownReceived;
                }
                else if (_state == AssociationState.ShutdownSent)
                {
                    SendShutdown(AssociationState.ShutdownAckSent, now);
                }

                break;
            case ChunkType.ShutdownAck when _state is AssociationState.ShutdownSent or AssociationState.ShutdownAckSent:
                _writer.Add(ChunkType.ShutdownComplete, 0, 0);
                End("shut down");
                break;
            case ChunkType.ShutdownComplete when _state == AssociationState.ShutdownAckSent:
                End("shut down by the peer");
                break;
        }
    }

    private void SendShutdown(AssociationState state, double now)
    {
        _state = state;
        if (state == AssociationState.ShutdownSent)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_writer.Add(ChunkType.Shutdown, 0, 4), _inbound.CumulativeTsn);
        }
        else
        {
            _writer.Add(ChunkType.ShutdownAck, 0, 0);
        }

        _shutdownDeadline = now + _rto.Value;
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            if (_state == AssociationState.Ended)
            {
                return;
            }

            var now = _clock.Now;
            if (now >= _handshake.Deadline && !_handshake.Retry(now))
            {
                End("the peer does not answer");
            }

            if (now >= _transmitter.Deadline)
            {
                _transmitter.OnTimeout(now);
            }

            if (now >= _shutdownDeadline)
            {
                _shutdownErrors++;
                _rto.BackOff();
                SendShutdown(_state, now);
            }

            if (now >= _heartbeat.Deadline && _state == AssociationState.Established)
            {
                _heartbeat.Send(now, _writer);
            }

            if (
                Math.Max(_transmitter.Errors, Math.Max(_shutdownErrors, Math.Max(_heartbeat.Errors, _reset.Errors)))
                > _options.MaxRetransmissions
            )
            {
                Abort(ErrorCause.ProtocolViolation, "too many retransmissions");
            }

            Settle(now);
        }

        _effects.Drain();
    }

    /// <summary>Called after every event: acknowledges, sends what may be sent, advances a shutdown and sets the timer.</summary>
    private void Settle(double now)
    {
        if (_state == AssociationState.Ended)
        {
            return;
        }

        if (_state >= AssociationState.Established)
        {
            _acks.SendIfDue(now, _writer);
            _reset.Transmit(now, _writer);
            _transmitter.Transmit(now, _writer);
            if (_transmitter.IsIdle && _state == AssociationState.ShutdownPending)
            {
                SendShutdown(AssociationState.ShutdownSent, now);
            }
            else if (_transmitter.IsIdle && _state == AssociationState.ShutdownReceived)
            {
                SendShutdown(AssociationState.ShutdownAckSent, now);
            }
        }

        _writer.Flush();
        var next = Math.Min(Math.Min(_handshake.Deadline, _transmitter.Deadline), Math.Min(_acks.Deadline, _heartbeat.Deadline));
        _clock.Arm(Math.Min(next, Math.Min(_shutdownDeadline, _reset.Deadline)));
    }

    private void Abort(ushort cause, string reason)
    {
        _options.Logger.LogDebug("SCTP association aborted: {Reason}.", reason);
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16BigEndian(value, cause);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], 4);
        _writer.AddAlone(_writer.Tag, ChunkType.Abort, 0, value);
        End(reason);
    }

    private void End(string reason)
    {
        if (_state == AssociationState.Ended)
        {
            return;
        }

        _state = AssociationState.Ended;
        _writer.Flush();
        _transmitter.Stop();
        _channels.CloseAll();
        _clock.Dispose();
        _effects.AddCall(() => Closed?.Invoke(reason));
    }
}
