using Oriel.Agent.Capture;

namespace Oriel.Linux.Tests.Display;

public sealed class FramePacerTests
{
    private const long Interval = 1_000_000 / 30;

    [Fact]
    public void Decide_DamageAfterAPause_CapturesAtOnce()
    {
        var pacer = new FramePacer(30);
        Assert.Equal(FrameAction.Capture, pacer.Decide(5_000_000, 5_000_000, keyFrame: false).Action);
    }

    [Fact]
    public void Decide_TwiceWithinTheInterval_CapturesAtOnceAndThenWaitsForItsEnd()
    {
        var pacer = new FramePacer(30);
        pacer.Captured(5_000_000);
        Assert.Equal(FrameAction.Capture, pacer.Decide(5_002_000, 5_002_000, keyFrame: false).Action);
        pacer.Captured(5_002_000);
        Assert.Equal((FrameAction.Wait, 5_000_000 + Interval), pacer.Decide(5_004_000, 5_004_000, keyFrame: false));
    }

    [Fact]
    public void Decide_SourceFasterThanTheCap_KeepsTheCap()
    {
        var pacer = new FramePacer(30);
        var frames = 0;
        for (long now = 0; now < 1_000_000; now += 1000)
        {
            if (pacer.Decide(now, now, keyFrame: false).Action == FrameAction.Capture)
            {
                pacer.Captured(now);
                frames++;
            }
        }

        Assert.InRange(frames, 28, 32);
    }

    [Fact]
    public void Decide_SourceAtTheCapWithJitter_CapturesEachFrameAtOnce()
    {
        var pacer = new FramePacer(30);
        var random = new Random(3);
        for (var i = 1; i < 300; i++)
        {
            var now = i * Interval + random.Next(-4000, 4000);
            Assert.Equal(FrameAction.Capture, pacer.Decide(now, now, keyFrame: false).Action);
            pacer.Captured(now);
        }
    }

    [Fact]
    public void Decide_CoarseStillPicture_RefinesAfterFifteenIntervalsAndThenRests()
    {
        var pacer = new FramePacer(30);
        pacer.Captured(0);
        pacer.PlanRefinement(0, coarse: true, changed: true, sendUs: 0);
        Assert.Equal((FrameAction.Wait, 15 * Interval), pacer.Decide(1000, -1, keyFrame: false));
        Assert.Equal(FrameAction.Refine, pacer.Decide(15 * Interval, -1, keyFrame: false).Action);
        pacer.PlanRefinement(15 * Interval, coarse: false, changed: false, sendUs: 0);
        Assert.Equal((FrameAction.Wait, -1L), pacer.Decide(100 * Interval, -1, keyFrame: false));
        Assert.Equal(FrameAction.KeyFrame, pacer.Decide(100 * Interval, -1, keyFrame: true).Action);
    }
}
