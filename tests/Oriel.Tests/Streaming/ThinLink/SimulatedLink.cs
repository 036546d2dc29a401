namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>A router whose link carries so much, with a queue that drops what comes when it is full. Times are microseconds.</summary>
/// <param name="rate">Bits per second at a time.</param>
/// <param name="queue">The longest wait.</param>
internal sealed class SimulatedLink(Func<long, double> rate, long queue)
{
    private const int Headers = 28; // IPv4 and UDP

    private double _freeAt;

    /// <summary>How long a packet that comes now would wait.</summary>
    public long Queued(long now) => (long)Math.Max(0, _freeAt - now);

    public int Dropped { get; private set; }

    /// <returns>When it has passed; null: dropped.</returns>
    public long? Send(int bytes, long now)
    {
        if (Queued(now) > queue)
        {
            Dropped++;
            return null;
        }

        _freeAt = Math.Max(_freeAt, now) + (bytes + Headers) * 8e6 / rate(now);
        return (long)_freeAt;
    }
}
