using System.Globalization;
using Microsoft.Playwright;

namespace Oriel.Bench;

/// <summary>What a desktop costs at rest, with several viewers, and over bad links.</summary>
internal static class LoadScenario
{
    public static async Task<Report> IdleAsync(BenchHost bench)
    {
        var id = await bench.NewDesktopAsync(1280, 720);
        var page = await bench.ReaderPageAsync();
        await BenchHost.ConnectAsync(page, id, "h264");
        // At rest: no new frame has been decoded during a whole second (the terminal's blinking cursor and the panel's clock are change).
        await bench.Server.ShellAsync(id, "pkill -STOP -u user 'xfce4-(terminal|panel)'; true");
        await page.WaitForFunctionAsync(
            "async () => { const s = await orielBench.stats(); const same = s && s.decoded > 0 && orielBench.seen === s.decoded; orielBench.seen = s?.decoded; return same; }",
            null,
            new PageWaitForFunctionOptions { PollingInterval = 1000, Timeout = 60_000 }
        );
        var (desktop, server) = (bench.DesktopCpu(id), bench.ServerCpu());
        var rows = new List<string[]>();
        foreach (var time in bench.Quick ? new[] { "first" } : ["first", "second", "third"])
        {
            var before = await BenchHost.StatsAsync(page);
            desktop.Restart();
            server.Restart();
            await page.EvaluateAsync("seconds => new Promise(done => setTimeout(done, seconds * 1000))", bench.Seconds);
            var after = await BenchHost.StatsAsync(page);
            rows.Add([
                $"{time} {bench.Seconds} s",
                $"{after["packets"]!.GetValue<double>() - before["packets"]!.GetValue<double>():F0}",
                desktop.Percent().ToString("F2", CultureInfo.InvariantCulture),
                server.Percent().ToString("F2", CultureInfo.InvariantCulture),
            ]);
        }

        await page.Context.CloseAsync();
        await bench.DestroyAsync(id);
        return new Report(
            ["time", "video packets", "desktop CPU %", "server CPU %"],
            rows,
            "In percent of one core. What the server takes at first is the compiler's, which makes the code that ran so far faster in the background. The desktop's share is mostly Chromium's and XFCE's own timers. The terminal (a blinking cursor) and the panel (a clock) are stopped for this."
        );
    }

    public static async Task<Report> ViewersAsync(BenchHost bench)
    {
        var id = await bench.NewDesktopAsync(1280, 720);
        var rows = new List<string[]>();
        foreach (var count in bench.Quick ? [1, 2] : new[] { 1, 2, 4 })
        {
            var pages = new List<IPage>();
            for (var viewer = 0; viewer < count; viewer++)
            {
                pages.Add(await bench.ReaderPageAsync());
                await BenchHost.ConnectAsync(pages[^1], id, "h264");
            }

            var (desktop, server) = (bench.DesktopCpu(id), bench.ServerCpu());
            desktop.Restart();
            server.Restart();
            await bench.DrawAsync(id, "text", 30, bench.Seconds, 1280, 720);
            var (guestPercent, serverPercent) = (desktop.Percent(), server.Percent());
            var shown = new List<string>();
            foreach (var page in pages)
            {
                shown.Add(BenchHost.Ms((await BenchHost.ResultAsync(page))["p50"]));
                await page.Context.CloseAsync();
            }

            rows.Add([
                $"{count}",
                string.Join(", ", shown),
                guestPercent.ToString("F0", CultureInfo.InvariantCulture),
                serverPercent.ToString("F0", CultureInfo.InvariantCulture),
            ]);
        }

        await bench.DestroyAsync(id);
        return new Report(
            ["viewers", "p50 ms of each", "desktop CPU %", "server CPU %"],
            rows,
            "The browsers decode on the same two cores, so latency with four viewers is theirs."
        );
    }

    public static async Task<Report> NetworkAsync(BenchHost bench)
    {
        var id = await bench.NewDesktopAsync(1280, 720);
        var rows = new List<string[]>();
        foreach (
            var (name, delayMs, loss, rate) in new[]
            {
                ("40 ms RTT", 20, 0.0, 0L),
                ("40 ms, 1 % loss", 20, 0.01, 0L),
                ("40 ms, 2 % loss", 20, 0.02, 0L),
                ("40 ms, 5 % loss", 20, 0.05, 0L),
                ("40 ms, 1.5 Mbit/s", 20, 0.0, 1_500_000L),
            }
        )
        foreach (var codec in bench.Quick ? new[] { "h264" } : ["h264", "vp8"])
        {
            await using var relay = new UdpRelay(await bench.Server.MediaPortAsync(), TimeSpan.FromMilliseconds(delayMs), loss, rate);
            var page = await bench.ReaderPageAsync();
            await BenchHost.ConnectAsync(page, id, codec, relay.Port);
            var drawing = bench.DrawAsync(id, "text", 30, bench.Seconds + 3, 1280, 720);
            await page.WaitForFunctionAsync("() => orielBench.run.frames >= 20", null, new() { Timeout = 60_000 });
            await page.EvaluateAsync("() => orielBench.reset()");
            var (before, bytes) = (await BenchHost.StatsAsync(page), relay.BytesToPage);
            await drawing;
            bytes = relay.BytesToPage - bytes;
            var (result, after) = (await BenchHost.ResultAsync(page), await BenchHost.StatsAsync(page));
            double Delta(string field) => after[field]!.GetValue<double>() - before[field]!.GetValue<double>();
            rows.Add([
                name,
                codec,
                (result["frames"]!.GetValue<double>() / result["seconds"]!.GetValue<double>()).ToString("F0", CultureInfo.InvariantCulture),
                BenchHost.Ms(result["p50"]),
                BenchHost.Ms(result["p95"]),
                $"{Delta("freezes"):F0} ({Delta("freezeSeconds").ToString("F1", CultureInfo.InvariantCulture)} s)",
                (bytes * 8 / 1e6 / result["seconds"]!.GetValue<double>()).ToString("F2", CultureInfo.InvariantCulture),
                $"{Delta("nacks"):F0}",
            ]);
            await page.Context.CloseAsync();
        }

        await bench.DestroyAsync(id);
        return new Report(
            ["link", "codec", "shown fps", "p50 ms", "p95 ms", "freezes", "Mbit/s", "NACKs"],
            rows,
            "The link is a relay in user space: delay each way, random loss towards the page, a queue of 200 ms at the given rate. Mbit/s is all that was sent towards the page, resends and what was lost included."
        );
    }
}
