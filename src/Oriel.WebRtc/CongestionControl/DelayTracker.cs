namespace Oriel.WebRtc.CongestionControl;

/// <summary>
/// Estimates the queue on the path from one-way delays. The clocks of the two sides differ by an unknown offset, so a packet's delay is
/// measured against the fastest recent packet. What matters is not a burst's delay, which every key frame has, but the part that never
/// drains: the minimum delay over a short window.
/// </summary>
internal sealed class DelayTracker
{
    private const int Buckets = 6;
    private const long BucketTime = 50_000;
    private const long BaseTime = 10_000_000;

    private readonly long[] _minimum = new long[Buckets];
    private readonly long[] _bucketOf = new long[Buckets];
    private long _base = long.MaxValue;
    private long _previousBase = long.MaxValue;
    private long _baseSince;
    private long _newestBucket = long.MinValue;

    /// <summary>
    /// The minimum time packets waited in the last 300 ms of arrivals, in microseconds; 0 when there were too few to tell.
    /// </summary>
    public long StandingQueue
    {
        get
        {
            var (least, seen) = (long.MaxValue, 0);
            for (var i = 0; i < Buckets; i++)
            {
                if (_newestBucket - _bucketOf[i] < Buckets && _bucketOf[i] != 0)
                {
                    seen++;
                    least = Math.Min(least, _minimum[i]);
                }
            }

            return seen < Buckets / 2 ? 0 : Math.Max(0, least - Math.Min(_base, _previousBase));
        }
    }

    public void Add(long sent, long arrived)
    {
        var delay = arrived - sent;
        if (sent - _baseSince > BaseTime)
        {
            (_previousBase, _base, _baseSince) = (_base, delay, sent);
        }

        _base = Math.Min(_base, delay);
        var bucket = arrived / BucketTime;
        var slot = (int)(bucket % Buckets);
        if (_bucketOf[slot] != bucket)
        {
            (_bucketOf[slot], _minimum[slot]) = (bucket, delay);
        }

        _minimum[slot] = Math.Min(_minimum[slot], delay);
        _newestBucket = Math.Max(_newestBucket, bucket);
    }
}
