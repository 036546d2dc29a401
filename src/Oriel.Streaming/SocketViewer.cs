using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Threading.Channels;
using Oriel.Protocol.Display;
using Oriel.Streaming.Page;
using Oriel.Streaming.Picture;
using Oriel.Streaming.Settings;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming;

/// <summary>
/// A page connected over the WebSocket fallback: H.264 access units, at most two of them unacknowledged. TCP shows a path's capacity only
/// by stalling, so the rate falls when frames must be skipped and climbs slowly while none are.
/// </summary>
internal sealed class SocketViewer : Viewer
{
    public const int HeaderLength = 16;
    private const int MaxInFlight = 2;
    private const int MaxWaitingTexts = 1024;
    private const int MaxTextBytes = 4096;
    private const double Fall = 0.7;
    private const double Climb = 1.05;
    private static readonly TimeSpan RateInterval = TimeSpan.FromSeconds(1);

    /// <summary>A frame with its header, a text, or a slot whose newest texts are taken when its turn comes.</summary>
    private readonly record struct Outgoing(byte[] Header, ReadOnlyMemory<byte> Data, ControlSlot? Slot = null)
    {
        public bool IsText => Header.Length == 0;
    }

    private readonly WebSocket _socket;
    private readonly StreamingOptions _options;
    private readonly TimeProvider _clock;
    private readonly Channel<Outgoing> _outgoing = Channel.CreateUnbounded<Outgoing>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Queue<long> _inFlight = new();
    private readonly IReadOnlyList<byte[]>?[] _newest = new IReadOnlyList<byte[]>?[Enum.GetValues<ControlSlot>().Length];
    private readonly Lock _lock = new();
    private readonly ClipboardPieces _clipboard;
    private int _waitingTexts;
    private long _rateChangedAt;
    private uint _sequence;

    public SocketViewer(string id, WebSocket socket, StreamingOptions options, TimeProvider clock)
        : base(id, Codec.H264, options.StartBitrate, options.MaxFps)
    {
        _socket = socket;
        _options = options;
        _clock = clock;
        _clipboard = new ClipboardPieces(options.MaxClipboardBytes);
        _rateChangedAt = clock.GetTimestamp();
    }

    public override bool IsLive => true;

    /// <summary>Serves the page until it leaves or the token is cancelled. Nothing the page does makes it throw.</summary>
    public async Task RunAsync(DesktopStream stream, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stream.Greet(this);
        var sending = SendAsync(ended.Token);
        try
        {
            await ReceiveAsync(stream, ended.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // The page left without closing the socket.
        }

        await ended.CancelAsync();
        await sending;
        if (_socket.State is WebSocketState.CloseReceived or WebSocketState.Open)
        {
            await CloseAsync();
        }
    }

    public override void SendControl(ReadOnlyMemory<byte> message)
    {
        if (message.Length > MaxTextBytes)
        {
            return;
        }

        if (Interlocked.Increment(ref _waitingTexts) > MaxWaitingTexts)
        {
            Interlocked.Decrement(ref _waitingTexts);
            return;
        }

        _outgoing.Writer.TryWrite(new Outgoing([], Wrap(message.Span)));
    }

    public override void SendNewest(ControlSlot slot, IReadOnlyList<byte[]> messages)
    {
        lock (_lock)
        {
            var waits = _newest[(int)slot] is not null;
            _newest[(int)slot] = messages;
            if (waits)
            {
                return;
            }
        }

        _outgoing.Writer.TryWrite(new Outgoing([], default, slot));
    }

    private static byte[] Wrap(ReadOnlySpan<byte> message) => [.. """{"c":"control","m":"""u8, .. message, (byte)'}'];

    public override async ValueTask CloseAsync()
    {
        _outgoing.Writer.TryComplete();
        try
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(2), _clock);
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, deadline.Token);
        }
        catch (Exception e)
            when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            _socket.Abort();
        }
    }

    protected override bool TrySendFrame(in EncodedVideo frame, long captureUs)
    {
        lock (_lock)
        {
            if (_inFlight.Count >= MaxInFlight)
            {
                return false;
            }

            _inFlight.Enqueue(captureUs);
        }

        var header = new byte[HeaderLength];
        header[0] = 1;
        header[1] = frame.IsKeyFrame ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)frame.Width);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)frame.Height);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), captureUs);
        _outgoing.Writer.TryWrite(new Outgoing(header, frame.Data));
        return true;
    }

    /// <summary>A key frame helps only once there is room for it, so the next acknowledgement asks for it.</summary>
    protected override void OnDropped() => Rate(Fall);

    private void Acknowledge(long captureUs)
    {
        lock (_lock)
        {
            while (_inFlight.TryPeek(out var oldest) && oldest <= captureUs)
            {
                _inFlight.Dequeue();
            }
        }

        if (NeedsKeyFrame)
        {
            WantKeyFrame();
        }
        else
        {
            Rate(Climb);
        }
    }

    private void Rate(double factor)
    {
        if (_clock.GetElapsedTime(_rateChangedAt) >= RateInterval)
        {
            _rateChangedAt = _clock.GetTimestamp();
            TargetBitrate = (int)Math.Clamp(TargetBitrate * factor, _options.MinBitrate, _options.MaxBitrate);
        }
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var next in _outgoing.Reader.ReadAllAsync(cancellationToken))
            {
                if (next.Slot is { } slot)
                {
                    await SendNewestAsync(slot, cancellationToken);
                    continue;
                }

                if (next.IsText)
                {
                    Interlocked.Decrement(ref _waitingTexts);
                    await _socket.SendAsync(next.Data, WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
                    continue;
                }

                await _socket.SendAsync(next.Header.AsMemory(), WebSocketMessageType.Binary, endOfMessage: false, cancellationToken);
                await _socket.SendAsync(next.Data, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
            }
        }
        catch (Exception e)
            when (e
                    is WebSocketException
                        or OperationCanceledException
                        or IOException
                        or ObjectDisposedException
                        or InvalidOperationException
            )
        {
            _socket.Abort();
        }
    }

    private async Task SendNewestAsync(ControlSlot slot, CancellationToken cancellationToken)
    {
        IReadOnlyList<byte[]> messages;
        lock (_lock)
        {
            messages = _newest[(int)slot]!;
            _newest[(int)slot] = null;
        }

        foreach (var message in messages)
        {
            await _socket.SendAsync(Wrap(message), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        }
    }

    private async Task ReceiveAsync(DesktopStream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[PageMessage.MaxBytes + 64];
        while (true)
        {
            var length = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                if (length == buffer.Length)
                {
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.MessageTooBig, null, cancellationToken);
                    return;
                }

                part = await _socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
                length += part.Count;
            } while (!part.EndOfMessage);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            Handle(stream, part.MessageType == WebSocketMessageType.Text ? SocketMessage.Parse(buffer.AsSpan(0, length)) : null);
        }
    }

    private void Handle(DesktopStream stream, SocketMessage? message)
    {
        switch (message)
        {
            case { C: "pointer", M: { } move } when InputParser.Point(move) is { } at:
                stream.Gate.OnPointer(this, new PointerMessage(++_sequence, (ushort)at.X, (ushort)at.Y));
                break;
            case { C: "ack", M.CaptureUs: { } captureUs }:
                Acknowledge(captureUs);
                break;
            case { C: "control", M: { } control }:
                var clipboard = control is { T: "clipboard", Text: { } piece } ? _clipboard.Add(piece, control.More == true) : null;
                stream.Gate.OnControl(this, control, clipboard);
                break;
            default:
                stream.Gate.OnInput(this, message is { C: "input" } ? message.M : null);
                break;
        }
    }
}
