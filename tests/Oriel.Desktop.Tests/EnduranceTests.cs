using System.Diagnostics;
using System.Globalization;

namespace Oriel.Desktop.Tests;

/// <summary>The stream that died within a minute was the fault that users of the earlier system met first.</summary>
public sealed class EnduranceTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Connection_ThreeMinutesOfMovingPicture_NeverFreezes()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await Terminal.BeginAsync(Server, page, id, "while :; do date +%N; read -t 0.2 -n 1 && break; done");

        // A freeze: five seconds in which no new frame is decoded although the guest draws five times a second.
        var watch = Stopwatch.StartNew();
        var last = await Eyes.FramesAsync(page);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(5));
        while (watch.Elapsed < TimeSpan.FromMinutes(3))
        {
            await timer.WaitForNextTickAsync();
            var frames = await Eyes.FramesAsync(page);
            var chip = await page.GetByTestId("state-chip").First.GetAttributeAsync("data-state");
            Assert.True(
                frames > last && chip == "connected",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"after {watch.Elapsed}: {frames} frames (5 s ago {last}), the page says {chip}"
                )
            );
            last = frames;
        }

        await page.Keyboard.PressAsync("q");
    }
}
