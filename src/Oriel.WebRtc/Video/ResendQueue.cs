namespace Oriel.WebRtc.Video;

/// <summary>
/// Packets to send again, oldest request first. Bounded, and limited to a share of the bitrate so that resends do not flood a slow link.
/// </summary>
internal sealed class ResendQueue
{
    private const int Capacity = 512;
    private const double BitrateShare = 0.3;

    // Enough to repair a burst of loss right after a key frame, even while the target is low.
    private const int MinBucketBytes = 48 * 1024;

    private readonly ulong[] _indices = new ulong[Capacity];
    private int _first;
    private int _count;
    private double _allowance = MinBucketBytes;
    private long _lastRefill;

    public int Count => _count;

    public bool TryAdd(ulong index)
    {
        if (_count == Capacity)
        {
            return false;
        }

        _indices[(_first + _count++) % Capacity] = index;
        return true;
    }

    public ulong Take()
    {
        var index = _indices[_first];
        _first = (_first + 1) % Capacity;
        _count--;
        return index;
    }

    /// <summary>Spends the resend share of <paramref name="bitrate"/>; false when it is used up.</summary>
    public bool TrySpend(int bytes, int bitrate, long now)
    {
        var perMicrosecond = bitrate * BitrateShare / 8 / 1_000_000;
        _allowance = Math.Min(Math.Max(MinBucketBytes, perMicrosecond * 1_000_000), _allowance + ((now - _lastRefill) * perMicrosecond));
        _lastRefill = now;
        if (_allowance < bytes)
        {
            return false;
        }

        _allowance -= bytes;
        return true;
    }
}
