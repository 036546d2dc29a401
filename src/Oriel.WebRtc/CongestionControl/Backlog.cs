namespace Oriel.WebRtc.CongestionControl;

/// <summary>
/// Says when so much waits in the pacer that a new frame would be late, and when it has left. Between the two thresholds the last answer
/// holds, so that a source that is stopped by it finds the path nearly free, but not idle, when it goes on.
/// </summary>
internal sealed class Backlog
{
    private const double LongSeconds = 0.06;
    private const double ShortSeconds = 0.02;

    public bool IsLong { get; private set; }

    /// <summary>Takes in what waits and the rate, bits a second, at which it leaves; true when the answer has changed.</summary>
    public bool Update(int queuedBytes, long rate)
    {
        var limit = IsLong ? ShortSeconds : LongSeconds;
        var isLong = queuedBytes * 8.0 > rate * limit;
        var changed = isLong != IsLong;
        IsLong = isLong;
        return changed;
    }
}
