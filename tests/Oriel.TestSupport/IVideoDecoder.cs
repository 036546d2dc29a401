namespace Oriel.TestSupport;

/// <summary>A decoder of one stream, for tests and benchmarks.</summary>
public interface IVideoDecoder : IDisposable
{
    /// <summary>The picture of this frame; null if the decoder has none yet.</summary>
    /// <exception cref="InvalidDataException">The frame is not one of the codec.</exception>
    DecodedPicture? Decode(ReadOnlySpan<byte> frame);
}

/// <summary>A decoded picture, its I420 planes without padding.</summary>
public sealed record DecodedPicture(int Width, int Height, byte[] Y, byte[] U, byte[] V)
{
    /// <summary>The colour at a pixel (BT.601, studio range).</summary>
    public (byte Red, byte Green, byte Blue) ReadColor(int x, int y)
    {
        var luma = 1.164 * (Y[y * Width + x] - 16);
        var chroma = y / 2 * ((Width + 1) / 2) + x / 2;
        double u = U[chroma] - 128,
            v = V[chroma] - 128;
        return (Clamp(luma + 1.596 * v), Clamp(luma - 0.392 * u - 0.813 * v), Clamp(luma + 2.017 * u));
        static byte Clamp(double value) => (byte)Math.Clamp((int)Math.Round(value), 0, 255);
    }

    internal static unsafe DecodedPicture Copy(byte** planes, int strideY, int strideUV, int width, int height) =>
        new(
            width,
            height,
            CopyPlane(planes[0], strideY, width, height),
            CopyPlane(planes[1], strideUV, (width + 1) / 2, (height + 1) / 2),
            CopyPlane(planes[2], strideUV, (width + 1) / 2, (height + 1) / 2)
        );

    private static unsafe byte[] CopyPlane(byte* plane, int stride, int width, int height)
    {
        var copy = new byte[width * height];
        for (var row = 0; row < height; row++)
        {
            // SAFETY: the decoder's plane has `height` rows of `stride` bytes, at least `width` of them pixels.
            new ReadOnlySpan<byte>(plane + row * stride, width).CopyTo(copy.AsSpan(row * width));
        }

        return copy;
    }
}
