using Oriel.Screen.Yuv;
using Oriel.TestSupport;

namespace Oriel.Bench.Encode;

/// <summary>
/// A screen of text-like pixels (bright glyphs of 8x16 on dark) that scrolls a line a frame or has a small box moving over it.
/// </summary>
internal sealed class TextScreen
{
    private const int GlyphWidth = 8,
        GlyphHeight = 16,
        Glyphs = 90,
        Box = 48;
    private readonly int _width,
        _height;
    private readonly Random _random = new(5);
    private readonly ushort[][] _font;
    private byte[]? _under;
    private int _boxX = 100,
        _boxY = 100;

    internal TextScreen(int width, int height)
    {
        (_width, _height) = (width, height);
        Pixels = new byte[width * height * 4];
        _font = Enumerable
            .Range(0, Glyphs)
            .Select(_ =>
                Enumerable
                    .Range(0, GlyphHeight)
                    .Select(row => row is < 3 or > 13 ? (ushort)0 : (ushort)(_random.Next(256) & 0x7E))
                    .ToArray()
            )
            .ToArray();
        for (var y = 0; y + GlyphHeight <= height; y += GlyphHeight)
        {
            WriteLine(y);
        }
    }

    internal byte[] Pixels { get; }

    internal PixelRectangle[] Scroll()
    {
        Pixels.AsSpan(GlyphHeight * _width * 4).CopyTo(Pixels);
        WriteLine(_height - GlyphHeight);
        return [new(0, 0, _width, _height)];
    }

    internal PixelRectangle[] MoveBox()
    {
        _under ??= [.. Pixels];
        var before = new PixelRectangle(_boxX, _boxY, Box, Box);
        Copy(_under, before);
        _boxX = (_boxX + 6) % (_width - Box) & ~1;
        _boxY = (_boxY + 2) % (_height - Box) & ~1;
        var after = new PixelRectangle(_boxX, _boxY, Box, Box);
        for (var y = after.Y; y < after.Bottom; y++)
        {
            for (var x = after.X; x < after.Right; x++)
            {
                Set(x, y, 0x4080F0);
            }
        }

        return [before, after];
    }

    internal static double Psnr(I420Picture picture, DecodedPicture decoded)
    {
        double squares = 0;
        for (var y = 0; y < picture.Height; y += 4)
        {
            for (var x = 0; x < picture.Width; x++)
            {
                double difference = picture.PlaneY[y * picture.StrideY + x] - decoded.Y[y * decoded.Width + x];
                squares += difference * difference;
            }
        }

        var mean = squares / ((picture.Height + 3) / 4 * picture.Width);
        return mean == 0 ? 60 : Math.Min(60, 10 * Math.Log10(255 * 255 / mean));
    }

    private void WriteLine(int top)
    {
        var length = _random.Next(20, _width / GlyphWidth);
        for (var column = 0; column < _width / GlyphWidth; column++)
        {
            var glyph = _font[_random.Next(Glyphs)];
            var blank = column >= length || _random.Next(6) == 0;
            for (var y = 0; y < GlyphHeight; y++)
            {
                for (var x = 0; x < GlyphWidth; x++)
                {
                    Set(column * GlyphWidth + x, top + y, !blank && (glyph[y] >> x & 1) != 0 ? 0xD8D8D8 : 0x1E1E1E);
                }
            }
        }
    }

    private void Copy(byte[] source, PixelRectangle area)
    {
        for (var y = area.Y; y < area.Bottom; y++)
        {
            var at = (y * _width + area.X) * 4;
            source.AsSpan(at, area.Width * 4).CopyTo(Pixels.AsSpan(at));
        }
    }

    private void Set(int x, int y, int color)
    {
        var at = (y * _width + x) * 4;
        (Pixels[at], Pixels[at + 1], Pixels[at + 2]) = ((byte)color, (byte)(color >> 8), (byte)(color >> 16));
    }
}
