using System.Globalization;

namespace Oriel.Bench;

/// <summary>Draw to display: Oriel by codec, size and rate, and TigerVNC + noVNC on the same workload in the same run.</summary>
internal static class LatencyScenario
{
    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var rows = new List<string[]>();
        foreach (var (width, height) in new[] { (1280, 720), (1920, 1080) })
        {
            var id = await bench.NewDesktopAsync(width, height);
            foreach (var (codec, fps, workload) in Runs(bench.Quick, "vp8", "h264"))
            {
                rows.Add(await OrielAsync(bench, id, codec, workload, fps, width, height));
            }

            await bench.DestroyAsync(id);
            if (VncBaseline.Missing() is { } missing)
            {
                rows.Add(["TigerVNC + noVNC", $"{width}x{height}", "-", missing, "", "", "", "", "", ""]);
                continue;
            }

            foreach (var (_, fps, workload) in Runs(bench.Quick, "vnc"))
            {
                rows.Add(await VncAsync(bench, workload, fps, width, height));
            }
        }

        return new Report(
            ["system", "size", "workload", "drawn fps", "shown fps", "p50 ms", "p95 ms", "Mbit/s", "guest side CPU %", "load"],
            rows,
            "CPU in percent of one core: Oriel's is the whole desktop (X server, agent with encoder, XFCE, Chromium) and the drawing program; noVNC's is Xvnc alone. Load is the machine's load average, everything that runs on it counted. The frame interval bounds the p50 from below by half of it."
        );
    }

    private static IEnumerable<(string Codec, int Fps, string Workload)> Runs(bool quick, params string[] codecs) =>
        from codec in codecs
        from run in quick ? new[] { (30, "text") } : [(30, "text"), (60, "text"), (30, "box")]
        select (codec, run.Item1, run.Item2);

    private static async Task<string[]> OrielAsync(
        BenchHost bench,
        string id,
        string codec,
        string workload,
        int fps,
        int width,
        int height
    )
    {
        var page = await bench.ReaderPageAsync();
        await BenchHost.ConnectAsync(page, id, codec);
        await page.EvaluateAsync("fps => orielBench.cap(fps)", fps);
        var cpu = bench.DesktopCpu(id);
        var drawing = bench.DrawAsync(id, workload, fps, bench.Seconds + 2, width, height);
        await SettleAsync(page);
        var before = await BenchHost.StatsAsync(page);
        cpu.Restart();
        await drawing;
        var (result, after, percent) = (await BenchHost.ResultAsync(page), await BenchHost.StatsAsync(page), cpu.Percent());
        var megabits =
            (after["bytes"]!.GetValue<double>() - before["bytes"]!.GetValue<double>()) * 8 / 1e6 / result["seconds"]!.GetValue<double>();
        await page.EvaluateAsync("() => orielBench.disconnect()");
        await page.Context.CloseAsync();
        return Row($"Oriel {codec}", width, height, workload, fps, result, megabits, percent);
    }

    private static async Task<string[]> VncAsync(BenchHost bench, string workload, int fps, int width, int height)
    {
        await using var vnc = await VncBaseline.StartAsync(width, height);
        var page = await bench.VncPageAsync(vnc.Url);
        var cpu = new CpuMeter(pid => pid == vnc.XvncPid);
        using var drawing = vnc.Draw(bench.Drawer, workload, fps, bench.Seconds + 2, width, height);
        await SettleAsync(page);
        var before = vnc.Bytes;
        cpu.Restart();
        await drawing.WaitForExitAsync();
        var (result, percent) = (await BenchHost.ResultAsync(page), cpu.Percent());
        var megabits = (vnc.Bytes - before) * 8 / 1e6 / result["seconds"]!.GetValue<double>();
        await page.Context.CloseAsync();
        return Row("TigerVNC + noVNC", width, height, workload, fps, result, megabits, percent);
    }

    /// <summary>
    /// Lets the first two seconds of drawing pass uncounted: the time is the workload's, told by the stamps that were seen.
    /// </summary>
    private static async Task SettleAsync(Microsoft.Playwright.IPage page)
    {
        await page.WaitForFunctionAsync("() => orielBench.run.frames >= 20", null, new() { Timeout = 60_000 });
        await page.EvaluateAsync("() => orielBench.reset()");
    }

    private static string[] Row(
        string system,
        int width,
        int height,
        string workload,
        int fps,
        System.Text.Json.Nodes.JsonNode result,
        double megabits,
        double cpu
    ) =>
        [
            system,
            $"{width}x{height}",
            workload,
            $"{fps}",
            (result["frames"]!.GetValue<double>() / result["seconds"]!.GetValue<double>()).ToString("F0", CultureInfo.InvariantCulture),
            BenchHost.Ms(result["p50"]),
            BenchHost.Ms(result["p95"]),
            megabits.ToString("F2", CultureInfo.InvariantCulture),
            cpu.ToString("F0", CultureInfo.InvariantCulture),
            BenchHost.Load(),
        ];
}
