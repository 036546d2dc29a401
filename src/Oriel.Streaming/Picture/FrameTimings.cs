using System.Diagnostics;
using Oriel.Protocol.Display;
using Oriel.Streaming.Page;

namespace Oriel.Streaming.Picture;

/// <summary>
/// Samples stage durations of about five frames a second. The guest's clock is this host's own monotonic clock in a container and
/// another one in a virtual machine; there the fastest frame so far stands for no delay at all.
/// </summary>
internal sealed class FrameTimings
{
    private const long SampleIntervalUs = 200_000;
    private const long SameClockUs = 2_000_000;
    private long _lastSampleUs;
    private long _leastOffsetUs = long.MaxValue;

    public static long NowUs => (long)(Stopwatch.GetTimestamp() * (1_000_000.0 / Stopwatch.Frequency));

    /// <returns>Null when this frame is not sampled.</returns>
    public FrameMessage? Sample(VideoFrame frame, uint rtp, long nowUs)
    {
        var offset = nowUs - frame.EncodedUs;
        _leastOffsetUs = Math.Min(_leastOffsetUs, offset);
        if (nowUs - _lastSampleUs < SampleIntervalUs)
        {
            return null;
        }

        _lastSampleUs = nowUs;
        var sendUs = offset is >= 0 and < SameClockUs ? offset : offset - _leastOffsetUs;
        return new FrameMessage(
            rtp,
            0,
            Math.Max(0, frame.CaptureUs - frame.DamageUs),
            Math.Max(0, frame.EncodedUs - frame.CaptureUs),
            sendUs,
            frame.Data.Length,
            frame.Quantizer
        );
    }
}
