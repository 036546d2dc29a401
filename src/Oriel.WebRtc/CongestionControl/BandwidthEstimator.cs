using Oriel.WebRtc.Rtcp;

namespace Oriel.WebRtc.CongestionControl;

/// <summary>How much the path to one peer takes.</summary>
internal sealed class BandwidthEstimator(int start, int min, int max)
{
    private const double RembShare = 0.9;
    private const double PacingFactor = 2.5;

    /// <summary>Bits a second that the encoder should make.</summary>
    public int Target { get; private set; } = Math.Clamp(start, min, max);

    /// <summary>Bits a second at which packets leave.</summary>
    public long PacingRate => (long)(Target * PacingFactor);

    public void OnSent(ushort transportSequence, int bytes, long now)
    {
    }

    public void OnFeedback(List<Arrival> arrivals, long now)
    {
    }

    public void OnRemb(long bitrate) => Target = (int)Math.Clamp(bitrate * RembShare, min, max);

    public void OnLoss(double fraction, long now)
    {
    }
}
