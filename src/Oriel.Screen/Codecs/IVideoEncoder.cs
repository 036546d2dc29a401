using Oriel.Screen.Yuv;

namespace Oriel.Screen.Codecs;

/// <summary>A real-time encoder for one stream of one size, used by one thread.</summary>
public interface IVideoEncoder : IDisposable
{
    int Width { get; }

    int Height { get; }

    /// <summary>Sets the target in bit/s, from the next frame on, without a key frame.</summary>
    void SetBitrate(int bitsPerSecond);

    /// <summary>
    /// Encodes the picture, of which the lowest bits of some pixels may be changed. The result's bytes are valid until the next call.
    /// </summary>
    EncodedPicture Encode(I420Picture picture, scoped in EncodeRequest request);
}

/// <summary>How to encode a picture.</summary>
public ref struct EncodeRequest
{
    /// <summary>When the picture was captured, in microseconds of a clock that does not stop.</summary>
    public long TimestampUs;

    /// <summary>Share of the picture that changed since the last frame, up to 1; more than that does no harm. 0: unknown.</summary>
    public double ChangedShare;

    /// <summary>Whether the frame must be decodable on its own.</summary>
    public bool KeyFrame;

    /// <summary>0 for a changed picture; 1, 2, ... for a still one, each step sharper than the previous.</summary>
    public int Refinement;

    /// <summary>What changed since the last frame; empty = possibly everything.</summary>
    public ReadOnlySpan<PixelRectangle> Changed;
}

/// <param name="Data">Empty if the encoder produced no frame.</param>
/// <param name="Quantizer">On the codec's own scale: VP8 0-127 (frame header index), H.264 0-51.</param>
/// <param name="Whole">Whether no part of the picture is coarser than that now.</param>
public readonly ref struct EncodedPicture(ReadOnlySpan<byte> data, bool keyFrame, int quantizer, bool whole)
{
    public bool Whole { get; } = whole;

    public ReadOnlySpan<byte> Data { get; } = data;

    public bool KeyFrame { get; } = keyFrame;

    public int Quantizer { get; } = quantizer;
}
