using System.Globalization;
using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Screen.Yuv;
using Oriel.TestSupport;

// The workload of the draw-to-display benchmark, drawn in X: scrolling text over the whole screen, each line of other words and another
// length, or a small moving box. Each picture carries the time at which it was drawn as a row of black and white cells in the top left
// corner, which a page reads back out of its pixels. usage: oriel-bench-draw <text|box> <fps> <seconds> <width> <height>

const int Cell = 16,
    Bits = 28,
    UnitUs = 100,
    GlyphWidth = 6;
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
var startUs = MonotonicClock.NowUs;
for (var frame = 0; frame < fps * seconds; frame++)
{
    var dueUs = startUs + (frame * 1_000_000L / fps);
    while (MonotonicClock.NowUs < dueUs)
    {
        poller.Wait(-1, dueUs);
    }

    if (workload == "text")
    {
        painter.ScrollText(Line(frame, width / 2 / GlyphWidth), Cell);
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

// Words as in a log or a book; the same for the same number, so that every system is given the same screen.
static string Line(int number, int most)
{
    ReadOnlySpan<string> words =
    [
        "the",
        "of",
        "server",
        "and",
        "connection",
        "to",
        "request",
        "a",
        "in",
        "was",
        "closed",
        "GET",
        "/index.html",
        "that",
        "for",
        "200",
        "it",
        "warning:",
        "file",
        "not",
        "found",
        "with",
        "as",
        "error",
        "at",
        "line",
        "return",
        "value",
        "null",
        "from",
        "by",
        "listening",
        "on",
        "127.0.0.1",
        "started",
        "process",
        "user",
        "session",
        "opened",
        "after",
        "seconds",
        "[info]",
        "package",
        "installed",
        "version",
        "1.24.7",
        "building",
        "src/main.c",
        "done",
        "waiting",
        "0x7f3a",
        "memory",
        "kernel",
        "device",
        "over",
        "lazy",
        "dog",
        "jumps",
        "quick",
        "brown",
        "fox",
    ];
    var random = new Random(number);
    var length = random.Next(most / 3, most);
    var text = new System.Text.StringBuilder($"{random.Next(24):D2}:{random.Next(60):D2}:{random.Next(60):D2}");
    while (text.Length < length)
    {
        text.Append(' ').Append(words[random.Next(words.Length)]);
    }

    return text.ToString();
}

static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
