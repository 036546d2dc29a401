using Oriel.Screen.Yuv;

namespace Oriel.Screen.Codecs;

/// <summary>A real-time encoder of one stream of one size. It belongs to one thread.</summary>
public interface IVideoEncoder : IDisposable
{
    int Width { get; }

    int Height { get; }

    /// <summary>Target in bit/s, from the next frame on, without a key frame.</summary>
    void SetBitrate(int bitsPerSecond);

    /// <summary>Encodes the picture. The result's bytes are valid until the next call.</summary>
    EncodedPicture Encode(I420Picture picture, in EncodeRequest request);
}

/// <summary>What to make of a picture.</summary>
public ref struct EncodeRequest
{
    /// <summary>The stream's own time in microseconds; grows from frame to frame.</summary>
    public long TimestampUs;

    /// <summary>Whether the frame must stand alone.</summary>
    public bool KeyFrame;

    /// <summary>0: a changed picture; 1, 2, ...: a still one, each step sharper than the one before.</summary>
    public int Refinement;

    /// <summary>What changed since the last frame; empty = perhaps everything.</summary>
    public ReadOnlySpan<PixelRectangle> Changed;
}

/// <param name="Data">An empty frame means that the encoder had nothing to say.</param>
/// <param name="Quantizer">On the codec's own scale: VP8 0-127 (frame header index), H.264 0-51.</param>
public readonly ref struct EncodedPicture(ReadOnlySpan<byte> data, bool keyFrame, int quantizer)
{
    public ReadOnlySpan<byte> Data { get; } = data;

    public bool KeyFrame { get; } = keyFrame;

    public int Quantizer { get; } = quantizer;
}
