using System.Buffers;
using System.Net;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Oriel.WebRtc.Ice;

namespace Oriel.WebRtc.Peers;

/// <summary>
/// Owns a peer's transport: handles items from a bounded queue one at a time, so media needs no lock. SCTP is the exception: it has a lock
/// of its own and sends on the thread that caused a packet, or on its timer. A task, not a thread: hundreds of idle peers cost nothing.
/// Packets and frames that do not fit in the queue are dropped, as a network would.
/// </summary>
internal sealed class PeerLoop : IAsyncDisposable
{
    private const int QueueLength = 1024;
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(500);

    private readonly Channel<PeerItem> _items = Channel.CreateBounded<PeerItem>(
        new BoundedChannelOptions(QueueLength) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait }
    );

    private readonly PeerTransport _transport;
    private readonly PeerClock _clock;
    private readonly ITimer _timer;
    private readonly ILogger _logger;
    private readonly Task _running;
    private long _timerAt = long.MaxValue;
    private int _tickQueued;

    public PeerLoop(PeerTransport transport, PeerClock clock, ILogger logger)
    {
        _transport = transport;
        _clock = clock;
        _logger = logger;
        _timer = clock.Provider.CreateTimer(static state => ((PeerLoop)state!).OnTimer(), this, Idle, Timeout.InfiniteTimeSpan);
        _running = Task.Run(RunAsync);
    }

    public bool TryPost(in PeerItem item) => _items.Writer.TryWrite(item);

    public void PostPacket(ReadOnlySpan<byte> packet, PacketKind kind, IcePath? path, SocketAddress? from)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(packet.Length);
        packet.CopyTo(buffer);
        if (
            !TryPost(
                new PeerItem
                {
                    Kind = PeerItemKind.Packet,
                    Buffer = buffer,
                    Length = packet.Length,
                    Packet = kind,
                    Path = path,
                    From = from,
                }
            )
        )
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Posts an item that must not be lost; waits for room.</summary>
    public async Task PostAsync(PeerItem item)
    {
        try
        {
            await _items.Writer.WriteAsync(item);
        }
        catch (ChannelClosedException)
        {
            // the loop has ended, so the item no longer matters
        }
    }

    /// <summary>Ends the loop after the items already queued; idempotent.</summary>
    public async ValueTask DisposeAsync()
    {
        _items.Writer.TryComplete();
        await _running;
        await _timer.DisposeAsync();
    }

    private async Task RunAsync()
    {
        var reader = _items.Reader;
        while (await reader.WaitToReadAsync())
        {
            try
            {
                while (reader.TryRead(out var item))
                {
                    Handle(item);
                }

                Schedule(_transport.Pump());
            }
            catch (Exception e)
            {
                _logger.PeerFault(e, _transport.PeerId);
                _transport.Close(CloseReason.Internal);
            }

            if (_transport.IsClosed)
            {
                _items.Writer.TryComplete();
            }
        }
    }

    private void Handle(in PeerItem item)
    {
        if (item.Kind == PeerItemKind.Tick)
        {
            Volatile.Write(ref _tickQueued, 0);
            _timerAt = long.MaxValue;
        }

        _transport.Handle(item);
        if (item.Buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(item.Buffer);
        }
    }

    private void OnTimer()
    {
        if (Interlocked.Exchange(ref _tickQueued, 1) == 0 && !TryPost(new PeerItem { Kind = PeerItemKind.Tick }))
        {
            // The queue is full: the loop is busy and will set the timer again.
            Volatile.Write(ref _tickQueued, 0);
            Volatile.Write(ref _timerAt, long.MaxValue);
        }
    }

    private void Schedule(long due)
    {
        var now = _clock.Now;
        due = Math.Min(due, now + (long)Idle.TotalMicroseconds);
        if (due < Volatile.Read(ref _timerAt) && Volatile.Read(ref _tickQueued) == 0)
        {
            Volatile.Write(ref _timerAt, due);
            _timer.Change(TimeSpan.FromMilliseconds(Math.Max(1, (due - now + 999) / 1000)), Timeout.InfiniteTimeSpan);
        }
    }
}
