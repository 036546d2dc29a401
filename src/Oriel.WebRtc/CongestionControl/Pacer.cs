namespace Oriel.WebRtc.CongestionControl;

/// <summary>A token bucket in bytes. An ordinary frame leaves immediately; a key frame is spread out at the pacing rate.</summary>
internal sealed class Pacer
{
    // The largest burst. It lets a text frame leave immediately, fits the queue of any access link, and is a train long enough to measure
    // capacity.
    private const int BurstBytes = 16 * 1024;

    // One timer tick on a busy machine: a late refill may catch up by this much.
    private const double CatchUpMicroseconds = 10_000;
    private const long ShortestWait = 1_000;
    private const double OverfullSeconds = 1.5;
    private const double NearlyEmptySeconds = 0.2;
    private const double LongSeconds = 0.4;

    private double _budget = BurstBytes;
    private long _last;

    public bool HasBudget => _budget > 0;

    public void Refill(long now, long rate)
    {
        var bytesPerMicrosecond = rate / 8e6;
        _budget = Math.Min(
            Math.Max(BurstBytes, bytesPerMicrosecond * CatchUpMicroseconds),
            _budget + ((now - _last) * bytesPerMicrosecond)
        );
        _last = now;
    }

    public void Spend(int bytes) => _budget -= bytes;

    /// <summary>Microseconds until a few packets may leave together.</summary>
    public long MicrosecondsToBudget(long rate) => Math.Max(ShortestWait, (long)((2400 - _budget) * 8e6 / rate));

    /// <summary>True when queued frames would leave too late to be of use.</summary>
    public bool IsOverfull(int queued, long rate) => queued > Math.Max(64 * 1024, rate / 8.0 * OverfullSeconds);

    /// <summary>Whether what is queued takes longer than it would to make a smaller picture and send that.</summary>
    public static bool IsLong(int queued, long rate) => queued > rate / 8.0 * LongSeconds;

    public bool IsNearlyEmpty(int queued, long rate) => queued <= rate / 8.0 * NearlyEmptySeconds;
}
