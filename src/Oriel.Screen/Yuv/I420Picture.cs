using System.Runtime.InteropServices;
using Oriel.Screen.Native;

namespace Oriel.Screen.Yuv;

/// <summary>A picture in I420 (studio range BT.601), planes in one native buffer, rows aligned for the encoders.</summary>
public sealed unsafe partial class I420Picture : IDisposable
{
    private byte* _data;

    /// <param name="width">Pixels, even.</param>
    /// <param name="height">Pixels, even.</param>
    public I420Picture(int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(width & 1, 0, nameof(width));
        ArgumentOutOfRangeException.ThrowIfNotEqual(height & 1, 0, nameof(height));
        Width = width;
        Height = height;
        StrideY = (width + 63) & ~63;
        StrideUV = StrideY / 2;
        var rows = (height + 15) & ~15;
        var size = (nuint)(StrideY * rows * 3 / 2);
        _data = (byte*)NativeMemory.AlignedAlloc(size + 64, 64);
        NativeMemory.Fill(_data, size + 64, 128);
        NativeMemory.Fill(_data, (nuint)(StrideY * rows), 16);
        OffsetU = StrideY * rows;
        OffsetV = OffsetU + StrideUV * rows / 2;
    }

    public int Width { get; }

    public int Height { get; }

    public int StrideY { get; }

    public int StrideUV { get; }

    internal byte* Y => _data;

    internal byte* U => _data + OffsetU;

    internal byte* V => _data + OffsetV;

    private int OffsetU { get; }

    private int OffsetV { get; }

    public ReadOnlySpan<byte> PlaneY => new(Y, StrideY * Height);

    public ReadOnlySpan<byte> PlaneU => new(U, StrideUV * Height / 2);

    public ReadOnlySpan<byte> PlaneV => new(V, StrideUV * Height / 2);

    /// <summary>Converts a rectangle of a whole screen of BGRX pixels (rows without padding) into the same place of this picture.</summary>
    public void Convert(ReadOnlySpan<byte> screen, PixelRectangle area)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(screen.Length, Width * Height * 4, nameof(screen));
        // SAFETY: the screen has the picture's size, and the area is checked below.
        fixed (byte* pixels = screen)
        {
            Convert(pixels + (area.Y * Width + area.X) * 4, Width * 4, area.X, area.Y, area.Width, area.Height);
        }
    }

    /// <summary>
    /// Changes the lowest bit of a pixel of luma in each block of 8x8 in these rows of blocks: an encoder that leaves out what is equal to
    /// the frame before codes them again.
    /// </summary>
    internal void Touch(int firstBlock, int blocks)
    {
        for (var y = firstBlock * 8; y < Math.Min(Height, (firstBlock + blocks) * 8); y += 8)
        {
            // SAFETY: rows and columns lie inside the picture.
            var row = Y + y * StrideY;
            for (var x = 0; x < Width; x += 8)
            {
                row[x] ^= 1;
            }
        }
    }

    /// <summary>Converts a rectangle of 32-bit BGRX pixels (even position and size) into the same place of this picture.</summary>
    internal void Convert(byte* bgrx, int stride, int x, int y, int width, int height)
    {
        // SAFETY: the caller's rectangle lies inside the picture (checked) and its source has `height` rows of `stride` bytes.
        ArgumentOutOfRangeException.ThrowIfGreaterThan(x + width, Width, nameof(width));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(y + height, Height, nameof(height));
        ArgumentOutOfRangeException.ThrowIfNegative(x);
        ArgumentOutOfRangeException.ThrowIfNegative(y);
        var uv = y / 2 * StrideUV + x / 2;
        _ = ARGBToI420(bgrx, stride, Y + y * StrideY + x, StrideY, U + uv, StrideUV, V + uv, StrideUV, width, height);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
    }

    [LibraryImport(NativeLibraries.Yuv)]
    private static partial int ARGBToI420(
        byte* source,
        int sourceStride,
        byte* y,
        int strideY,
        byte* u,
        int strideU,
        byte* v,
        int strideV,
        int width,
        int height
    );
}
