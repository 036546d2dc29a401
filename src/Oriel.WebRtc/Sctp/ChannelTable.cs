namespace Oriel.WebRtc.Sctp;

/// <summary>
/// The data channels of one association: DCEP (RFC 8832), ids, opening and closing (RFC 8831 section 6). Guarded by the association's lock.
/// </summary>
internal sealed class ChannelTable(
    SctpAssociation association,
    SctpOptions options,
    Transmitter transmitter,
    StreamReset reset,
    EffectQueue effects
)
{
    private sealed class Closing
    {
        public bool OwnDone { get; set; }

        public bool PeerDone { get; set; }
    }

    private readonly Dictionary<ushort, DataChannel> _channels = [];
    private readonly Dictionary<ushort, Closing> _closing = [];

    public event Action<DataChannel>? Opened;

    public DataChannel Open(string label, bool ordered, int? maxRetransmits, TimeSpan? maxLifetime, string protocol)
    {
        var id = NextId();
        var channel = new DataChannel(association, id, label, protocol, ordered, maxRetransmits, maxLifetime);
        _channels[id] = channel;
        var open = new ChannelOpenMessage(label, protocol, ordered, maxRetransmits, maxLifetime);
        transmitter.Enqueue(new OutboundMessage(id, Ppid.Control, open.Write()));
        return channel;
    }

    /// <summary>Queues a message; false when the channel is closed or a bound is reached.</summary>
    public bool TrySend(DataChannel channel, ReadOnlySpan<byte> data, bool text, double now)
    {
        if (channel.IsClosed || data.Length > options.RemoteMaxMessageSize || transmitter.BufferedBytes + data.Length > options.SendBuffer)
        {
            return false;
        }

        var ppid = (text, data.IsEmpty) switch
        {
            (true, false) => Ppid.Text,
            (true, true) => Ppid.EmptyText,
            (false, false) => Ppid.Binary,
            (false, true) => Ppid.EmptyBinary,
        };
        byte[] payload = data.IsEmpty ? [0] : data.ToArray();
        channel.Buffer(payload.Length);
        transmitter.Enqueue(
            new OutboundMessage(channel.Id, ppid, payload)
            {
                Channel = channel,
                Unordered = !channel.Ordered && channel.Acknowledged,
                MaxRetransmits = channel.MaxRetransmits ?? int.MaxValue,
                ExpiresAt = channel.MaxLifetime is { } lifetime ? now + lifetime.TotalMilliseconds : double.PositiveInfinity,
            }
        );
        return true;
    }

    public void Deliver(InboundMessage message)
    {
        if (message.Ppid == Ppid.Control)
        {
            OnControl(message);
            return;
        }

        if (!_channels.TryGetValue(message.Stream, out var channel))
        {
            return;
        }

        // Data from the peer proves that it has processed the opening (RFC 8832 section 6).
        channel.Acknowledged = true;
        (bool Text, bool Empty)? kind = message.Ppid switch
        {
            Ppid.Text => (true, false),
            Ppid.Binary => (false, false),
            Ppid.EmptyText => (true, true),
            Ppid.EmptyBinary => (false, true),
            _ => null,
        };
        if (kind is { } known)
        {
            var payload = known.Empty ? [] : message.Payload;
            effects.AddCall(() => channel.RaiseMessage(payload, known.Text));
        }
    }

    public void Close(DataChannel channel)
    {
        if (_channels.Remove(channel.Id))
        {
            MarkClosed(channel);
            BeginReset(channel.Id);
        }
    }

    /// <summary>Closes every channel: the association has ended or the peer has restarted it.</summary>
    public void CloseAll()
    {
        foreach (var channel in _channels.Values)
        {
            MarkClosed(channel);
        }

        _channels.Clear();
        _closing.Clear();
    }

    public void OnPeerReset(IReadOnlyList<ushort> streams)
    {
        foreach (var id in streams.Count == 0 ? _channels.Keys.ToArray() : streams)
        {
            if (_channels.Remove(id, out var channel))
            {
                MarkClosed(channel);
                BeginReset(id);
            }

            if (_closing.TryGetValue(id, out var closing))
            {
                closing.PeerDone = true;
                Forget(id, closing);
            }
        }
    }

    public void OnOwnReset(IReadOnlyList<ushort> streams)
    {
        foreach (var id in streams)
        {
            if (_closing.TryGetValue(id, out var closing))
            {
                closing.OwnDone = true;
                Forget(id, closing);
            }
        }
    }

    public void OnResetRequested(IReadOnlyList<ushort> streams)
    {
        foreach (var id in streams.Count == 0 ? _channels.Keys.ToArray() : streams)
        {
            if (_channels.TryGetValue(id, out var channel))
            {
                Close(channel);
            }
        }
    }

    private void OnControl(InboundMessage message)
    {
        if (message.Payload is [ChannelOpenMessage.AckType, ..])
        {
            if (_channels.TryGetValue(message.Stream, out var own))
            {
                own.Acknowledged = true;
            }

            return;
        }

        if (
            ChannelOpenMessage.Parse(message.Payload) is not { } open
            || _channels.ContainsKey(message.Stream)
            || _closing.ContainsKey(message.Stream)
        )
        {
            return;
        }

        if (_channels.Count >= options.MaxChannels)
        {
            BeginReset(message.Stream);
            return;
        }

        var channel = new DataChannel(
            association,
            message.Stream,
            open.Label,
            open.Protocol,
            open.Ordered,
            open.MaxRetransmits,
            open.MaxLifetime
        )
        {
            Acknowledged = true,
        };
        _channels[message.Stream] = channel;
        transmitter.Enqueue(new OutboundMessage(message.Stream, Ppid.Control, [ChannelOpenMessage.AckType]));
        effects.AddCall(() => Opened?.Invoke(channel));
    }

    private void MarkClosed(DataChannel channel)
    {
        channel.MarkClosed();
        effects.AddCall(channel.RaiseClosed);
    }

    private void BeginReset(ushort id)
    {
        _closing[id] = new Closing();
        reset.Request(id);
    }

    private void Forget(ushort id, Closing closing)
    {
        if (closing is { OwnDone: true, PeerDone: true })
        {
            _closing.Remove(id);
        }
    }

    private ushort NextId()
    {
        for (var id = options.IsDtlsClient ? 0 : 1; id < options.MaxStreams && _channels.Count < options.MaxChannels; id += 2)
        {
            if (!_channels.ContainsKey((ushort)id) && !_closing.ContainsKey((ushort)id))
            {
                return (ushort)id;
            }
        }

        throw new InvalidOperationException($"All {options.MaxChannels} data channels are in use.");
    }
}
