using System.Diagnostics;
using Oriel.Bench.Encode;
using Oriel.Screen.Codecs;
using Oriel.Screen.Codecs.H264;
using Oriel.Screen.Codecs.Vpx;
using Oriel.Screen.Native;
using Oriel.Screen.Yuv;
using Oriel.TestSupport;

// Encoders alone, one thread, no X: `Oriel.Bench.Encode [frames]`. CPU time, so that other programs on the machine count less.
// `Oriel.Bench.Encode x DISPLAY XAUTHORITY` measures an X server instead: connection, RANDR range, resize, grab.
if (args is ["x", var display, var authority])
{
    XServerBench.Run(display, authority);
    return;
}

var frames = args.Length > 0 ? int.Parse(args[0]) : 150;
const int Bitrate = 6_000_000,
    Fps = 30;
List<(string Name, Func<int, int, IVideoEncoder> Create)> encoders =
[
    ("vp8 cpu-used -4", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -4)),
    ("vp8 cpu-used -8", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -8)),
    ("vp8 cpu-used -5", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -5)),
    ("vp8 cpu-used -6", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -6)),
    ("vp8 cpu-used -12", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -12)),
    ("vp8 cpu-used -16", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -16)),
    ("vp8 -5 static 100", (w, h) => new Vp8Encoder(w, h, Bitrate, Fps, -5, 100)),
];
if (NativeLibraries.IsAvailable(NativeLibraries.OpenH264))
{
    encoders.Add(("openh264 camera", (w, h) => new OpenH264Encoder(w, h, Bitrate, Fps)));
    encoders.Add(("openh264 screen", (w, h) => new OpenH264Encoder(w, h, Bitrate, Fps, screenContent: true)));
}

if (NativeLibraries.IsAvailable(NativeLibraries.X264))
{
    encoders.Add(("x264 ultrafast", (w, h) => new X264Encoder(w, h, Bitrate, Fps)));
}

Console.WriteLine("| encoder | size | workload | ms a frame (CPU) | p95 ms (wall) | kbit a frame | key frame kB | quantizer | PSNR-Y dB |");
Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
foreach (var (width, height) in new[] { (1280, 720), (1920, 1080) })
{
    foreach (var workload in new[] { "scroll", "box", "box, map" })
    {
        foreach (var (name, create) in encoders)
        {
            if (workload != "box, map" || name.StartsWith("vp8", StringComparison.Ordinal))
            {
                Measure(name, create, width, height, workload);
            }
        }
    }
}

void Measure(string name, Func<int, int, IVideoEncoder> create, int width, int height, string workload)
{
    var screen = new TextScreen(width, height);
    using var picture = new I420Picture(width, height);
    picture.Convert(screen.Pixels, new(0, 0, width, height));
    using var encoder = create(width, height);
    using IVideoDecoder decoder = name.StartsWith("vp8", StringComparison.Ordinal) ? new Vp8Decoder() : new OpenH264Decoder();
    var first = encoder.Encode(picture, new() { KeyFrame = true });
    var keyBytes = first.Data.Length;
    var decoded = decoder.Decode(first.Data);
    long bytes = 0,
        quantizers = 0;
    double psnr = 0;
    var cpu = TimeSpan.Zero;
    var wall = new List<double>();
    for (var i = 1; i <= frames; i++)
    {
        var changed = workload == "scroll" ? screen.Scroll() : screen.MoveBox();
        foreach (var area in changed)
        {
            picture.Convert(screen.Pixels, area);
        }

        var before = ThreadClock.Now;
        var start = Stopwatch.GetTimestamp();
        var frame = encoder.Encode(picture, new() { TimestampUs = i * 1_000_000L / Fps, Changed = workload == "box, map" ? changed : [] });
        wall.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        cpu += ThreadClock.Now - before;
        bytes += frame.Data.Length;
        quantizers += frame.Quantizer;
        decoded = frame.Data.IsEmpty ? decoded : decoder.Decode(frame.Data) ?? decoded;
        psnr += decoded is null ? 0 : TextScreen.Psnr(picture, decoded);
    }

    wall.Sort();
    Console.WriteLine(
        FormattableString.Invariant(
            $"| {name} | {height}p | {workload} | {cpu.TotalMilliseconds / frames:F1} | {wall[(int)(frames * 0.95)]:F1} | {bytes * 8.0 / 1000 / frames:F1} | {keyBytes / 1000} | {quantizers / frames} | {psnr / frames:F1} |"
        )
    );
}
