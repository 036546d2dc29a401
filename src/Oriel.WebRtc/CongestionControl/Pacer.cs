namespace Oriel.WebRtc.CongestionControl;

/// <summary>A token bucket in bytes. An ordinary frame leaves at once; a key frame is spread over the pacing rate.</summary>
internal sealed class Pacer
{
    // Most that goes out back to back: a text frame at once, little enough for the queue of any access link, and long enough a train to
    // measure capacity by.
    private const int BurstBytes = 16 * 1024;

    // A tick of a busy machine's timer: what was missed may be made up for.
    private const double CatchUpMicroseconds = 10_000;
    private const long ShortestWait = 1_000;
    private const double OverfullSeconds = 1.5;
    private const double NearlyEmptySeconds = 0.2;

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

    /// <summary>Until a few packets may go at once.</summary>
    public long MicrosecondsToBudget(long rate) => Math.Max(ShortestWait, (long)((2400 - _budget) * 8e6 / rate));

    /// <summary>True when what waits would leave later than anyone wants to see it.</summary>
    public bool IsOverfull(int queued, long rate) => queued > Math.Max(64 * 1024, rate / 8.0 * OverfullSeconds);

    public bool IsNearlyEmpty(int queued, long rate) => queued <= rate / 8.0 * NearlyEmptySeconds;
}
