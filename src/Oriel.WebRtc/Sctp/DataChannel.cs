namespace Oriel.WebRtc.Sctp;

/// <summary>
/// One WebRTC data channel (RFC 8831). Events come one at a time, never while a lock is held; no message is delivered
/// before the handler that announced the channel has returned.
/// </summary>
public sealed class DataChannel
{
    private readonly SctpAssociation _association;
    private long _buffered;

    internal DataChannel(
        SctpAssociation association,
        ushort id,
        string label,
        string protocol,
        bool ordered,
        int? maxRetransmits,
        TimeSpan? maxLifetime
    )
    {
        _association = association;
        Id = id;
        Label = label;
        Protocol = protocol;
        Ordered = ordered;
        MaxRetransmits = maxRetransmits;
        MaxLifetime = maxLifetime;
    }

    public ushort Id { get; internal set; }

    public string Label { get; }

    public string Protocol { get; }

    public bool Ordered { get; }

    /// <summary>Resends after which a message is abandoned; null for no limit.</summary>
    public int? MaxRetransmits { get; }

    /// <summary>Time after which a message is abandoned; null for no limit.</summary>
    public TimeSpan? MaxLifetime { get; }

    /// <summary>Bytes queued and not yet handed to the network.</summary>
    public long BufferedAmount => Interlocked.Read(ref _buffered);

    public bool IsClosed { get; private set; }

    /// <summary>Whether the peer has acknowledged the opening. Until then everything is sent in order (RFC 8832 section 6).</summary>
    internal bool Acknowledged { get; set; }

    /// <summary>
    /// A whole message; the memory belongs to the handler. The flag is true for text, whose bytes are UTF-8 as sent, unchecked.
    /// </summary>
    public event Action<ReadOnlyMemory<byte>, bool>? MessageReceived;

    /// <summary>Raised once, when either side has closed the channel or the association has ended.</summary>
    public event Action? Closed;

    /// <returns>False when the channel is closed, the send buffer is full or the message is longer than the peer accepts.</returns>
    public bool TrySend(ReadOnlySpan<byte> data, bool text) => _association.TrySend(this, data, text);

    /// <summary>Closes the channel after everything queued has been sent.</summary>
    public void Close() => _association.CloseChannel(this);

    internal void Buffer(int bytes) => Interlocked.Add(ref _buffered, bytes);

    internal void Unbuffer(int bytes) => Interlocked.Add(ref _buffered, -bytes);

    internal void MarkClosed()
    {
        IsClosed = true;
    }

    internal void RaiseMessage(ReadOnlyMemory<byte> data, bool text) => MessageReceived?.Invoke(data, text);

    internal void RaiseClosed() => Closed?.Invoke();
}
