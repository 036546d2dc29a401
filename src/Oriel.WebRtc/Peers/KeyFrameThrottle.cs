namespace Oriel.WebRtc.Peers;

/// <summary>Joins requests for a key frame: at most one in an interval, none while a key frame that would answer it is young.</summary>
internal sealed class KeyFrameThrottle(long interval)
{
    private bool _wanted;
    private long _lastAsked = long.MinValue / 2;
    private long _lastFrame = long.MinValue / 2;

    /// <summary>When a request may next be raised; <see cref="long.MaxValue"/> when none waits.</summary>
    public long Due => _wanted ? Math.Max(_lastAsked, _lastFrame) + interval : long.MaxValue;

    public void Ask() => _wanted = true;

    public void OnKeyFrame(long now)
    {
        _lastFrame = now;
        _wanted = false;
    }

    /// <summary>True once when a request is to be raised now.</summary>
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
