namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>What a person saw of a stream, without its first seconds. Ages from drawing to showing, in milliseconds.</summary>
/// <param name="Freezes">Pauses between two frames as WebRTC's statistics count them: more than three times the mean, and 150 ms
/// longer.</param>
internal sealed record Seen(
    double FramesPerSecond,
    double Median,
    double P95,
    double Oldest,
    int Freezes,
    int Dropped,
    double MeanBytes,
    double MeanQuantizer
)
{
    public static Seen Of(SimulatedStream stream, double fromSeconds, double toSeconds = double.MaxValue)
    {
        var frames = stream.Frames.Where(frame => frame.Shown >= fromSeconds * 1e6 && frame.Shown <= toSeconds * 1e6).ToList();
        if (frames.Count < 3)
        {
            return new Seen(0, 0, 0, double.MaxValue, 1, stream.Dropped, 0, 0);
        }

        var ages = frames.Select(frame => (frame.Shown - frame.Drawn) / 1e3).Order().ToList();
        var gaps = frames.Zip(frames.Skip(1), (a, b) => (b.Shown - a.Shown) / 1e3).ToList();
        var mean = gaps.Average();
        var sent = stream.Sent.Where(frame => frame.At >= fromSeconds * 1e6 && frame.At <= toSeconds * 1e6).ToList();
        return new Seen(
            Math.Round(1000 / mean, 1),
            Math.Round(ages[ages.Count / 2]),
            Math.Round(ages[(int)(ages.Count * 0.95)]),
            Math.Round(ages[^1]),
            gaps.Count(gap => gap > Math.Max(3 * mean, mean + 150)),
            stream.Dropped,
            Math.Round(sent.Average(frame => frame.Bytes)),
            Math.Round(sent.Average(frame => frame.Quantizer), 1)
        );
    }
}
