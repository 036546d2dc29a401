using System.Runtime.InteropServices;
using Oriel.Screen.Native;

namespace Oriel.Screen.Yuv;

/// <summary>Scales 32-bit pictures with libyuv's box filter (for thumbnails).</summary>
public static unsafe partial class ArgbScaler
{
    private const int FilterBox = 3;

    /// <param name="source">Rows of <paramref name="width"/> pixels of four bytes without padding.</param>
    /// <returns>The same at the new size.</returns>
    public static byte[] Scale(ReadOnlySpan<byte> source, int width, int height, int newWidth, int newHeight)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, width * height * 4, nameof(source));
        var target = new byte[newWidth * newHeight * 4];
        // SAFETY: both buffers hold what their sizes say, checked or allocated above.
        fixed (byte* from = source)
        fixed (byte* to = target)
        {
            var result = ARGBScale(from, width * 4, width, height, to, newWidth * 4, newWidth, newHeight, FilterBox);
            return result == 0
                ? target
                : throw new InvalidOperationException($"ARGBScale {width}x{height} to {newWidth}x{newHeight} failed: {result}");
        }
    }

    [LibraryImport(NativeLibraries.Yuv)]
    private static partial int ARGBScale(
        byte* source,
        int sourceStride,
        int sourceWidth,
        int sourceHeight,
        byte* target,
        int targetStride,
        int targetWidth,
        int targetHeight,
        int filter
    );
}
