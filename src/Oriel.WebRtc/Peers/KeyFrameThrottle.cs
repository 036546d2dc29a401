namespace Oriel.WebRtc.Peers;

/// <summary>Merges requests for a key frame: at most one is raised per interval, and none within an interval after a key frame.</summary>
internal sealed class KeyFrameThrottle(long interval)
{
    private bool _wanted;
    private long _lastAsked = long.MinValue / 2;
    private long _lastFrame = long.MinValue / 2;

    /// <summary>When a request may next be raised; <see cref="long.MaxValue"/> when none is pending.</summary>
    public long Due => _wanted ? Math.Max(_lastAsked, _lastFrame) + interval : long.MaxValue;

    public void Ask() => _wanted = true;

    public void OnKeyFrame(long now)
    {
        _lastFrame = now;
        _wanted = false;
    }

    /// <summary>True, once, when a request must be raised now.</summary>
    public bool IsDue(long now)
    {
        if (now < Due)
        {
            return false;
        }

        _lastAsked = now;
        _wanted = false;
        return true;
    }
}
