using System.Globalization;
using Oriel.Protocol.Display;

namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>
/// 720p of text that scrolls by a line 30 times a second, 40 ms of round trip. Nothing here waits: the clock is the simulation's, so that
/// the times are those of the control, on any machine. ORIEL_TIME_LINES=FOLDER keeps the courses as SVG.
/// </summary>
public sealed class ThinLinkTests
{
    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(40);

    /// <summary>VP8's key frame of text cannot be made small, so it catches up later.</summary>
    [Theory]
    [InlineData(Codec.H264, 200, 60, 100)]
    [InlineData(Codec.H264, 1000, 60, 100)]
    [InlineData(Codec.Vp8, 200, 120, 220)]
    [InlineData(Codec.Vp8, 1000, 120, 220)]
    public void Text_On1500Kilobits_FlowsAfterTheFirstSecond(Codec codec, int queueMs, int median, int p95)
    {
        var stream = Run($"{codec}-1500k-{queueMs}ms", codec, _ => 1_500_000, queueMs, 12);
        var seen = Seen.Of(stream, 1);
        Assert.Equal(0, stream.Dropped);
        Assert.True(seen is { FramesPerSecond: >= 29, Freezes: 0 } && seen.Median <= median && seen.P95 <= p95, seen.ToString());
    }

    /// <summary>Where text scrolls as before, it ends nearly as sharp as on any link.</summary>
    [Fact]
    public void Text_On1500Kilobits_BecomesSharp() =>
        Assert.InRange(Seen.Of(Run("sharp", Codec.H264, _ => 1_500_000, 200, 12), 6).MeanQuantizer, 22, 26);

    [Theory]
    [InlineData(Codec.H264)]
    [InlineData(Codec.Vp8)]
    public void Text_OnAWideLink_IsShownAtOnceInFull(Codec codec)
    {
        var seen = Seen.Of(Run($"{codec}-50M", codec, _ => 50_000_000, 200, 6), 2);
        Assert.True(seen is { FramesPerSecond: >= 29.5, Freezes: 0, P95: <= 60 }, seen.ToString());
    }

    [Theory]
    [InlineData(Codec.H264)]
    [InlineData(Codec.Vp8)]
    public void Link_ThatChanges_IsFollowedWithinTwoSeconds(Codec codec)
    {
        var stream = Run(
            $"{codec}-5M-800k-3M",
            codec,
            at =>
                at < 8_000_000 ? 5_000_000
                : at < 16_000_000 ? 800_000
                : 3_000_000,
            200,
            24
        );
        Assert.InRange(TargetAt(7), 3_500_000, 5_000_000);
        Assert.InRange(TargetAt(10), 400_000, 800_000);
        Assert.InRange(TargetAt(18), 1_900_000, 3_000_000);
        Assert.InRange(Seen.Of(stream, 8, 16).Oldest, 0, 1_400);
        Assert.InRange(Seen.Of(stream, 12, 24).Oldest, 0, 250);

        int TargetAt(int second) => stream.Samples.First(sample => sample.At >= second * 1_000_000L).Target;
    }

    [Fact]
    public void Text_On300Kilobits_IsNeverOldOnceItRuns()
    {
        var seen = Seen.Of(Run("H264-300k", Codec.H264, _ => 300_000, 1000, 20), 4);
        Assert.True(seen is { FramesPerSecond: >= 5, Oldest: <= 1_000 }, seen.ToString());
    }

    private static SimulatedStream Run(string name, Codec codec, Func<long, double> rate, int queueMs, int seconds)
    {
        var stream = new SimulatedStream(codec, rate, RoundTrip, TimeSpan.FromMilliseconds(queueMs)).Run(TimeSpan.FromSeconds(seconds));
        TimeLine.Keep(stream, name);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {Seen.Of(stream, 1)}"));
        return stream;
    }
}
