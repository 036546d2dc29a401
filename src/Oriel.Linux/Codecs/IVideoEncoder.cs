using Oriel.Linux.Yuv;

namespace Oriel.Linux.Codecs;

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

/// <summary>A rectangle in pixels of the screen.</summary>
public readonly record struct PixelRectangle(int X, int Y, int Width, int Height)
{
    public int Right => X + Width;

    public int Bottom => Y + Height;

    public bool IsEmpty => Width <= 0 || Height <= 0;

    public bool Contains(PixelRectangle other) => other.X >= X && other.Y >= Y && other.Right <= Right && other.Bottom <= Bottom;

    public PixelRectangle Union(PixelRectangle other)
    {
        var x = Math.Min(X, other.X);
        var y = Math.Min(Y, other.Y);
        return new(x, y, Math.Max(Right, other.Right) - x, Math.Max(Bottom, other.Bottom) - y);
    }

    /// <summary>Grown to even coordinates and cut to a screen of even size.</summary>
    public PixelRectangle AlignedTo(int width, int height)
    {
        var x = Math.Clamp(X, 0, width) & ~1;
        var y = Math.Clamp(Y, 0, height) & ~1;
        return new(x, y, Math.Clamp((Right + 1) & ~1, x, width) - x, Math.Clamp((Bottom + 1) & ~1, y, height) - y);
    }
}
