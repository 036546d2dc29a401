using System.Diagnostics;
using Oriel.Protocol.Display;
using Oriel.Streaming.Page;

namespace Oriel.Streaming.Picture;

/// <summary>
/// Samples stage durations of about five frames a second. In a container the guest's clock is this host's monotonic clock. In a virtual
/// machine it is another clock, so delays are relative to the fastest frame so far.
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
