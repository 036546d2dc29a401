using System.Runtime.InteropServices;
using Oriel.Agent.Encoding;
using Oriel.Protocol.Display;
using Oriel.Screen.Codecs;
using Oriel.Screen.Yuv;

namespace Oriel.Agent.Capture;

/// <summary>
/// What one stream knows of its encoder from frame to frame: its size and rate, and how coarse the picture is. It tells the pacer when a
/// still picture is to be refined. Knows no clock; used by one thread.
/// </summary>
internal sealed class StreamEncoder(Codec codec, FramePacer pacer) : IDisposable
{
    internal const int MaxRefinements = 8;

    private readonly List<PixelRectangle> _areas = [];
    private IVideoEncoder? _encoder;
    private int _bitrate,
        _worstQuantizer;

    /// <summary>How often the picture has been sharpened since it last changed.</summary>
    internal int Refinement { get; private set; }

    /// <summary>Encodes what the screen shows now.</summary>
    /// <param name="changedAreas">What of it changed; may be more than that.</param>
    /// <param name="bitrate">Bits per second, from this frame on.</param>
    internal EncodedPicture Encode(
        I420Picture picture,
        IReadOnlyList<PixelRectangle> changedAreas,
        long captureUs,
        int bitrate,
        bool keyFrame,
        bool changed
    )
    {
        Refinement = changed || keyFrame ? 0 : Refinement + 1;
        if (_encoder is null || _encoder.Width != picture.Width || _encoder.Height != picture.Height)
        {
            _encoder?.Dispose();
            _encoder = null;
            _bitrate = bitrate;
            _encoder = VideoEncoders.Create(codec, picture.Width, picture.Height, _bitrate, VideoStream.MaxFps);
            keyFrame = true;
        }

        if (_bitrate != bitrate)
        {
            _bitrate = bitrate;
            _encoder.SetBitrate(_bitrate);
        }

        _areas.Clear();
        if (changed && _worstQuantizer <= VideoEncoders.LeaveOutQuantizer(codec))
        {
            _areas.AddRange(changedAreas);
        }

        var encoded = _encoder.Encode(
            picture,
            new()
            {
                TimestampUs = captureUs,
                ChangedShare = ShareOf(changedAreas, picture),
                KeyFrame = keyFrame,
                Refinement = Refinement,
                Changed = CollectionsMarshal.AsSpan(_areas),
            }
        );
        Plan(encoded, captureUs, changed);
        return encoded;
    }

    public void Dispose() => _encoder?.Dispose();

    private static double ShareOf(IReadOnlyList<PixelRectangle> areas, I420Picture picture)
    {
        long pixels = 0;
        for (var i = 0; i < areas.Count; i++)
        {
            pixels += (long)areas[i].Width * areas[i].Height;
        }

        return Math.Min(1, pixels / ((double)picture.Width * picture.Height));
    }

    private void Plan(in EncodedPicture encoded, long captureUs, bool changed)
    {
        _worstQuantizer = encoded.Whole ? encoded.Quantizer : Math.Max(_worstQuantizer, encoded.Quantizer);
        var coarse = Refinement < MaxRefinements && _worstQuantizer > VideoEncoders.CoarseQuantizer(codec);
        var sendUs = encoded.Data.Length * 8_000_000L / _bitrate;
        pacer.PlanRefinement(captureUs, coarse, changed || encoded.KeyFrame, sendUs);
    }
}
