namespace Oriel.WebRtc.CongestionControl;

/// <summary>
/// Tells whether the pacer's queue is long enough to delay a new frame. Between the two thresholds the previous answer holds, so a source
/// that paused resumes when the path is nearly free, but not idle.
/// </summary>
internal sealed class Backlog
{
    private const double LongSeconds = 0.5;
    private const double ShortSeconds = 0.05;

    public bool IsLong { get; private set; }

    /// <summary>
    /// Updates the answer from the queue and the rate at which it drains, in bits per second. True when the answer has changed.
    /// </summary>
    public bool Update(int queuedBytes, long rate)
    {
        var limit = IsLong ? ShortSeconds : LongSeconds;
        var isLong = queuedBytes * 8.0 > rate * limit;
        var changed = isLong != IsLong;
        IsLong = isLong;
        return changed;
    }
}
