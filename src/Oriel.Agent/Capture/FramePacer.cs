namespace Oriel.Agent.Capture;

/// <summary>
/// Decides when the next frame is due: immediately on damage, but not more often than the cap; refinement when the screen has been
/// still for a while; otherwise never. Times are microseconds of one monotonic clock.
/// </summary>
internal sealed class FramePacer(int maxFps)
{
    /// <summary>A picture is still when this many frame intervals have passed without damage.</summary>
    internal const int StillIntervals = 15;

    private long _intervalUs = 1_000_000 / maxFps;
    private long _nextUs = long.MinValue;
    private long _refineUs = -1;

    internal long IntervalUs => _intervalUs;

    internal void SetMaxFps(int fps) => _intervalUs = 1_000_000 / fps;

    /// <summary>What to do now, and if that is nothing, until when (negative: until something happens).</summary>
    internal (FrameAction Action, long UntilUs) Decide(long nowUs, long damageUs, bool keyFrame)
    {
        if (keyFrame)
        {
            return (FrameAction.KeyFrame, 0);
        }

        if (damageUs >= 0)
        {
            return nowUs >= _nextUs ? (FrameAction.Capture, 0) : (FrameAction.Wait, _nextUs);
        }

        if (_refineUs >= 0)
        {
            return nowUs >= _refineUs ? (FrameAction.Refine, 0) : (FrameAction.Wait, _refineUs);
        }

        return (FrameAction.Wait, -1);
    }

    /// <summary>A frame of changed pixels was begun at <paramref name="nowUs"/>.</summary>
    internal void Captured(long nowUs)
    {
        // One interval of credit: a source as fast as the cap, but with jitter, never waits, nor does a second half that is drawn right
        // after the first.
        _nextUs = Math.Max(_nextUs, nowUs - _intervalUs) + _intervalUs;
    }

    /// <summary>After a frame: when the next refinement is due, if the picture is still coarse.</summary>
    internal void PlanRefinement(long nowUs, bool coarse, bool changed, long sendUs) =>
        _refineUs = coarse ? nowUs + Math.Max(changed ? StillIntervals * _intervalUs : 2 * _intervalUs, sendUs) : -1;
}

internal enum FrameAction
{
    Wait,
    Capture,
    KeyFrame,
    Refine,
}
