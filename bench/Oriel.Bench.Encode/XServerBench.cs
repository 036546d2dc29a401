using System.Diagnostics;
using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Keyboard;
using Oriel.Screen.X11.Raw;
using Oriel.TestSupport;

namespace Oriel.Bench.Encode;

/// <summary>What an X server can do for Oriel and how fast; it has MIT-SHM, DAMAGE, XFIXES and XTEST if this gets to its end.</summary>
internal static class XServerBench
{
    internal static void Run(string display, string authority)
    {
        var start = XScreenSize.Read(display, authority);
        Console.WriteLine($"range: {start.Width}x{start.Height} now, {start.MaxWidth}x{start.MaxHeight} at most");
        foreach (var (width, height) in new[] { (1280, 720), (1920, 1080), (1366, 768), (1280, 720), (3840, 2160), (1280, 720) })
        {
            var clock = Stopwatch.StartNew();
            try
            {
                var size = XScreenSize.Resize(display, authority, width, height);
                Console.WriteLine(
                    FormattableString.Invariant(
                        $"resize {width}x{height}: {size.Width}x{size.Height} in {clock.Elapsed.TotalMilliseconds:F1} ms"
                    )
                );
            }
            catch (XException e)
            {
                Console.WriteLine($"resize {width}x{height}: {e.Message}");
            }
        }

        using var painter = new XPainter(display, authority, 1280, 720);
        using var capture = ScreenCapture.Open(display, authority);
        capture.ReadEvents();
        capture.Capture();
        using var poller = new Oriel.Linux.Polling.Poller();
        var times = new List<double>();
        for (var i = 0; i < 200; i++)
        {
            painter.Fill(new(0, 0, 1280, 720), (uint)i * 1000);
            painter.Sync();
            while (capture.DamageUs < 0)
            {
                poller.Wait(capture.Descriptor, -1);
                capture.ReadEvents();
            }

            var clock = Stopwatch.StartNew();
            capture.Capture();
            times.Add(clock.Elapsed.TotalMilliseconds);
        }

        times.Sort();
        Console.WriteLine(
            FormattableString.Invariant($"damage -> 720p grabbed and converted: p50 {times[100]:F2} ms, p95 {times[190]:F2} ms")
        );
        using var spares = SpareKeys.Open(display, authority);
        using var input = XInput.Open(display, authority, spares);
        using var watcher = XScreenWatcher.Open(display, authority);
        input.Move(100, 100);
        Console.WriteLine($"XTEST, XFIXES cursor: {watcher.ReadCursor()?.Width ?? 0} px, pointer {watcher.ReadPointer()}");
    }
}
