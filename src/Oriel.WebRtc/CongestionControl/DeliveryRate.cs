namespace Oriel.WebRtc.CongestionControl;

/// <summary>Counts the bytes that arrived in the last half second by the peer's clock, and the packets lost.</summary>
internal sealed class DeliveryRate
{
    private const int Buckets = 10;
    private const long BucketTime = 50_000;
    private const int FewestForLoss = 50; // at 5 % loss, one reading in 25 exceeds 10 %; with 20 packets, one in 13 would
    private const double LossMemory = 500; // packets

    private readonly long[] _bytes = new long[Buckets];
    private long _newest = long.MinValue;
    private int _received;
    private int _lost;
    private double _recentLoss;

    /// <summary>Bits per second.</summary>
    public double BitsPerSecond => _bytes.Sum() * 8.0 * 1_000_000 / (Buckets * BucketTime);

    /// <summary>True when packets arrived without pauses, so the rate is the path's and not the encoder's.</summary>
    public bool IsContinuous => _bytes.Count(b => b > 0) >= Buckets - 2;

    public void OnReceived(int bytes, long arrived)
    {
        var bucket = arrived / BucketTime;
        if (bucket < _newest - Buckets || _newest == long.MinValue || bucket > _newest + Buckets)
        {
            Array.Clear(_bytes);
            _newest = bucket;
        }

        for (; _newest < bucket; _newest++)
        {
            _bytes[(_newest + 1) % Buckets] = 0;
        }

        _bytes[bucket % Buckets] += bytes;
        _received++;
        _recentLoss -= _recentLoss / LossMemory;
    }

    /// <summary>The share of the last few hundred packets that was lost, 0 to 1.</summary>
    public double RecentLoss => _recentLoss;

    public void OnLost()
    {
        _lost++;
        _recentLoss += (1 - _recentLoss) / LossMemory;
    }

    /// <summary>The share of packets lost since the last call; null while there are too few.</summary>
    public double? TakeLoss()
    {
        if (_received + _lost < FewestForLoss)
        {
            return null;
        }

        var loss = (double)_lost / (_received + _lost);
        (_received, _lost) = (0, 0);
        return loss;
    }
}
