using System.Diagnostics;
using System.Threading.Channels;

namespace Oriel.WebRtc.Tests.Relay;

/// <summary>Loses, queues and delays packets as a link of a given rate would. The same row of packets meets the same losses.</summary>
internal sealed class Link : IAsyncDisposable
{
    private const int HeaderBytes = 28; // IPv4 and UDP

    private readonly Channel<Packet> _waiting = Channel.CreateUnbounded<Packet>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Random _random = new(7);
    private readonly Lock _lock = new();
    private readonly Task _delivering;
    private double _freeAt;

    public Link(LinkOptions options)
    {
        Options = options;
        _delivering = DeliverAsync();
    }

    /// <summary>May be changed at any time; holds for packets that come later.</summary>
    public LinkOptions Options { get; set; }
    public long Delivered { get; private set; }
    public long DeliveredBytes { get; private set; }
    public long Dropped { get; private set; }

    public void Send(ReadOnlySpan<byte> packet, Action<ReadOnlyMemory<byte>> deliver)
    {
        var options = Options;
        lock (_lock)
        {
            var now = Now;
            var backlog = Math.Max(0, _freeAt - now) * options.BitsPerSecond / 8;
            if (_random.NextDouble() < options.Loss || (options.BitsPerSecond > 0 && backlog > options.QueueBytes))
            {
                Dropped++;
                return;
            }

            _freeAt = Math.Max(_freeAt, now) + (options.BitsPerSecond > 0 ? (packet.Length + HeaderBytes) * 8 / options.BitsPerSecond : 0);
            _waiting.Writer.TryWrite(new Packet(packet.ToArray(), _freeAt + options.Delay.TotalSeconds, deliver));
        }
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _delivering;
    }

    private static double Now => Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;

    private async Task DeliverAsync()
    {
        await foreach (var packet in _waiting.Reader.ReadAllAsync())
        {
            var wait = packet.At - Now;
            if (wait > 0.0005 && !_waiting.Reader.Completion.IsCompleted)
            {
                await Task.Delay(TimeSpan.FromSeconds(wait));
            }

            packet.Deliver(packet.Bytes);
            Delivered++;
            DeliveredBytes += packet.Bytes.Length;
        }
    }

    private readonly record struct Packet(byte[] Bytes, double At, Action<ReadOnlyMemory<byte>> Deliver);
}
