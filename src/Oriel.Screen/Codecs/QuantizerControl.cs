namespace Oriel.Screen.Codecs;

/// <summary>
/// Chooses the quantizer of each frame, so that the link has taken it before the next one. What the link has not taken yet makes the next
/// frames coarser at once; the rate of frames is the last thing to give. Measured with ThinLinkTests (docs/decisions/0096).
/// </summary>
internal sealed class QuantizerControl(QuantizerScale scale, int pixels)
{
    // In octaves of the step: how much finer a frame may be than the one before, and a refinement must be.
    private const double LargestStepFiner = 0.5,
        SmallestRefinement = 0.34;

    // Seconds of the link's time: of a key frame, of a change much larger than those before, of a refinement, and until it has caught up.
    private const double KeyFrameTime = 0.25,
        SurpriseTime = 0.10,
        RefinementTime = 0.15,
        DrainTime = 0.15;
    private const double LeastShare = 0.25,
        SurpriseFactor = 4;

    // Bytes of text per pixel at the key frame's finest quantizer, when nothing of the frame before is of use.
    private const double IntraDensity = 0.13;

    private readonly double _textComplexity = Math.Log2(IntraDensity) + scale.Octaves(scale.KeyFrameFinest);
    private double _debt,
        _rate,
        _interval = 1.0 / 30,
        _share = 1;
    private double? _intra,
        _inter,
        _refining;
    private long _lastUs = long.MinValue;
    private int _quantizer = scale.KeyFrameFinest;
    private Kind _kind;

    private enum Kind
    {
        Key,
        Changed,
        Surprise,
        Refinement,
    }

    /// <summary>The next frame's quantizer.</summary>
    /// <param name="bitrate">Bits per second.</param>
    /// <param name="share">Share of the picture that changed, up to 1; 0: unknown.</param>
    public int Next(long nowUs, int bitrate, bool keyFrame, int refinement, double share)
    {
        Drain(nowUs, bitrate / 8.0, isMoving: refinement == 0);
        share = share == 0 ? 1 : Math.Clamp(share, 0.001, 1);
        _kind =
            keyFrame ? Kind.Key
            : refinement > 0 ? Kind.Refinement
            : _inter is null || share > SurpriseFactor * _share ? Kind.Surprise
            : Kind.Changed;
        if (_kind is Kind.Changed or Kind.Surprise)
        {
            _share = _kind is Kind.Surprise ? share : _share + (share - _share) / 4;
        }

        var text = _intra ?? _textComplexity;
        var last = scale.Octaves(_quantizer);
        _quantizer = _kind switch
        {
            Kind.Key => scale.From(Octaves(_rate * KeyFrameTime, text, 1), scale.KeyFrameFinest),
            Kind.Refinement => scale.From(
                Math.Min(last - SmallestRefinement, Octaves(_rate * RefinementTime, _refining ?? text, 1)),
                scale.Finest
            ),
            Kind.Surprise => scale.From(Octaves(_rate * SurpriseTime, text, share), scale.MovingFinest),
            _ => scale.From(Math.Max(last - LargestStepFiner, Octaves(FrameBytes, _inter!.Value, share)), scale.MovingFinest),
        };
        return _quantizer;
    }

    /// <summary>The frame that <see cref="Next"/> was asked for has so many bytes.</summary>
    public void Encoded(int bytes)
    {
        // A key frame takes the place of what waits in the server; the rest is in the link's own queue.
        _debt = bytes + (_kind is Kind.Key ? Math.Min(_debt, _rate * SurpriseTime) : _debt);
        var density = Math.Max(bytes, 1.0) / pixels;
        switch (_kind)
        {
            case Kind.Key:
                _intra = Complexity(density);
                break;
            case Kind.Refinement:
                _refining = Complexity(density);
                break;
            default:
                // What became dearer counts at once, what became cheaper by half.
                var seen = Complexity(density / _share);
                _inter = _inter is { } known && _kind is Kind.Changed && seen < known ? known + (seen - known) / 2 : seen;
                break;
        }
    }

    private void Drain(long nowUs, double rate, bool isMoving)
    {
        _rate = rate;
        if (_lastUs != long.MinValue)
        {
            var elapsed = Math.Max(0, (nowUs - _lastUs) / 1e6);
            _debt = Math.Max(0, _debt - _rate * elapsed);
            if (isMoving)
            {
                _interval += (Math.Clamp(elapsed, 1.0 / 60, 0.1) - _interval) / (elapsed < _interval ? 3 : 8);
            }
        }

        _lastUs = nowUs;
    }

    /// <summary>What one frame may take: what the link takes in an interval, less what is to drain.</summary>
    private double FrameBytes => Math.Max(_rate * _interval * LeastShare, (_rate - _debt / DrainTime) * _interval);

    /// <summary>Octaves of the step by which a picture of this complexity has no more bytes.</summary>
    private double Octaves(double bytes, double complexity, double share) => complexity - Math.Log2(bytes / (pixels * share));

    /// <summary>The logarithm of bytes per pixel at a step of 1.</summary>
    private double Complexity(double bytesPerPixel) => Math.Log2(bytesPerPixel) + scale.Octaves(_quantizer);
}

/// <summary>A codec's quantizers by the logarithm of their step: an octave halves the bytes or so.</summary>
/// <param name="octaves">Of each quantizer.</param>
/// <param name="finest">Of a still picture.</param>
/// <param name="movingFinest">While it moves.</param>
/// <param name="keyFrameFinest">Of a frame that needs no other.</param>
internal sealed class QuantizerScale(double[] octaves, int finest, int movingFinest, int keyFrameFinest)
{
    public int Finest => finest;

    public int MovingFinest => movingFinest;

    public int KeyFrameFinest => keyFrameFinest;

    public double Octaves(int quantizer) => octaves[quantizer];

    /// <summary>
    /// The finest quantizer of at least so many octaves, or the coarsest there is; none finer than <paramref name="least"/>.
    /// </summary>
    public int From(double wanted, int least)
    {
        var quantizer = least;
        while (quantizer < octaves.Length - 1 && octaves[quantizer] < wanted)
        {
            quantizer++;
        }

        return quantizer;
    }
}
