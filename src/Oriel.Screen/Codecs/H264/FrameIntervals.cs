namespace Oriel.Screen.Codecs.H264;

/// <summary>
/// The recent interval between frames, by their timestamps. It grows slowly and shrinks fast, so that only a few frames of a fast run are
/// too large.
/// </summary>
internal sealed class FrameIntervals(int maxFps)
{
    private const double Longest = 2;
    private double _intervals = 1;
    private long _last = -1;

    /// <summary>Adds a frame. Returns the current interval as a multiple of the shortest one, 1 to 2.</summary>
    internal double Add(long timestampUs)
    {
        if (_last >= 0)
        {
            var interval = Math.Clamp((timestampUs - _last) * maxFps / 1_000_000.0, 1, Longest);
            _intervals += (interval - _intervals) / (interval > _intervals ? 8 : 3);
        }

        _last = timestampUs;
        return _intervals;
    }
}
