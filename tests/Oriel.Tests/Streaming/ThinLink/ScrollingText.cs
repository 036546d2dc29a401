using Oriel.Screen.Yuv;

namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>A terminal whose output scrolls by a line each time: words of a log, in a font of 6x16 pixels made up from a seed.</summary>
internal sealed class ScrollingText : IDisposable
{
    private const int Line = 16,
        GlyphWidth = 6,
        GlyphHeight = 12;

    private static readonly string[] Words =
    [
        .. "the of server and connection to request a in was closed GET /index.html that for 200 it warning: file not found with as error at line return value null from by listening on 127.0.0.1 started process user session opened after seconds [info] package installed version 1.24.7 building src/main.c done waiting 0x7f3a memory kernel device over lazy dog jumps quick brown fox".Split(
            ' '
        ),
    ];

    private readonly byte[] _pixels;
    private readonly int _width,
        _height;
    private readonly uint[][] _font;
    private int _drawn;

    public ScrollingText(int width, int height)
    {
        (_width, _height) = (width, height);
        _pixels = new byte[width * height * 4];
        Picture = new I420Picture(width, height);
        var random = new Random(5);
        _font =
        [
            .. Enumerable
                .Range(0, 128)
                .Select(_ => Enumerable.Range(0, GlyphHeight).Select(row => row is 0 or > 9 ? 0 : (uint)random.Next(32)).ToArray()),
        ];
        for (var line = 0; line < height / Line; line++)
        {
            Scroll();
        }
    }

    public I420Picture Picture { get; }

    public PixelRectangle[] Whole => [new(0, 0, _width, _height)];

    /// <summary>A line more. The picture changes when it is captured.</summary>
    public void Scroll()
    {
        _pixels.AsSpan(Line * _width * 4).CopyTo(_pixels);
        var top = _height / Line * Line - Line;
        _pixels.AsSpan(top * _width * 4, Line * _width * 4).Fill(0x20);
        var random = new Random(_drawn++);
        var column = 0;
        for (var words = random.Next(10, 24); words > 0; words--)
        {
            foreach (var letter in Words[random.Next(Words.Length)])
            {
                Write(_font[letter & 127], column++, top);
            }

            column++;
        }
    }

    public void Capture() => Picture.Convert(_pixels, Whole[0]);

    public void Dispose() => Picture.Dispose();

    private void Write(uint[] glyph, int column, int top)
    {
        for (var y = 0; y < GlyphHeight && (column + 1) * GlyphWidth < _width; y++)
        {
            for (var x = 0; x < GlyphWidth; x++)
            {
                if ((glyph[y] >> x & 1) != 0)
                {
                    _pixels.AsSpan(((top + 2 + y) * _width + column * GlyphWidth + x) * 4, 4).Fill(0xD8);
                }
            }
        }
    }
}
