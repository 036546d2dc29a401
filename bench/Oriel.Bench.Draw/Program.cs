using System.Globalization;
using Oriel.Linux.Codecs;
using Oriel.Linux.Posix;
using Oriel.Linux.X11;

// The workload of the draw-to-display benchmark, drawn in X: scrolling text over the whole screen, or a small moving box. Each picture carries
// the time at which it was drawn as a row of black and white cells in the top left corner, which a page reads back out of its pixels.
// usage: oriel-bench-draw <text|box> <fps> <seconds> <width> <height>

const int Cell = 16, Bits = 28, UnitUs = 100;
if (args is not [var workload, var fpsText, var secondsText, var widthText, var heightText])
{
    Console.Error.WriteLine("usage: oriel-bench-draw <text|box> <fps> <seconds> <width> <height>");
    return 2;
}

var (fps, seconds) = (Number(fpsText), Number(secondsText));
var (width, height) = (Number(widthText), Number(heightText));
var display = Environment.GetEnvironmentVariable("DISPLAY") ?? ":0";
using var painter = new XPainter(display, Environment.GetEnvironmentVariable("XAUTHORITY"), width, height);
using var poller = new Poller();
painter.Fill(new PixelRectangle(0, 0, width, height), 0x202020);
var startUs = Poller.NowUs;
for (var frame = 0; frame < fps * seconds; frame++)
{
    var dueUs = startUs + (frame * 1_000_000L / fps);
    while (Poller.NowUs < dueUs)
    {
        poller.Wait(-1, dueUs);
    }

    if (workload == "text")
    {
        painter.ScrollText($"{frame:D6} The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. {frame * 7919 % 1000003:D7} 0123456789 abcdefghijklmnopqrstuvwxyz {frame * 104729 % 999983:X6}", Cell);
    }
    else
    {
        var x = 100 + (frame * 8 % (width - 200));
        painter.Fill(new PixelRectangle((x - 8 + width) % width, 300, 8, 64), 0x202020);
        painter.Fill(new PixelRectangle(x, 300, 64, 64), 0x30a0f0);
    }

    Stamp((DateTime.UtcNow - DateTime.UnixEpoch).Ticks / (TimeSpan.TicksPerMicrosecond * UnitUs));
}

return 0;

void Stamp(long time)
{
    // A white and a black cell first, so that a reader knows that it looks at a stamp.
    painter.Fill(new PixelRectangle(0, 0, (Bits + 2) * Cell, Cell), 0x000000);
    painter.Fill(new PixelRectangle(0, 0, Cell, Cell), 0xffffff);
    for (var bit = 0; bit < Bits; bit++)
    {
        if (((time >> bit) & 1) != 0)
        {
            painter.Fill(new PixelRectangle((bit + 2) * Cell, 0, Cell, Cell), 0xffffff);
        }
    }
}

static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
