using System.Globalization;
using System.Text.Json.Nodes;

namespace Oriel.Bench;

/// <summary>
/// Draw to display taken apart: the median of each part of the way, of the frames that the server samples for the page's overlay.
/// </summary>
internal static class StageScenario
{
    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var columns = new List<string> { "stage, ms" };
        var runs = new List<JsonObject>();
        foreach (var (width, height) in new[] { (1280, 720), (1920, 1080) })
        {
            var id = await bench.NewDesktopAsync(width, height);
            foreach (var codec in new[] { "h264", "vp8" })
            {
                foreach (var fps in bench.Quick ? new[] { 30 } : [30, 60])
                {
                    columns.Add($"{codec} {height}p {fps} fps");
                    runs.Add((await RunAsync(bench, id, codec, fps, width, height)).AsObject());
                }
            }

            await bench.DestroyAsync(id);
        }

        var rows = runs[0].Select(stage => (string[])[stage.Key, .. runs.Select(run => Text(run[stage.Key]))]).ToList();
        return new Report([.. columns], rows, "Medians of each stage by itself, so they do not add up exactly.");
    }

    private static async Task<JsonNode> RunAsync(BenchHost bench, string id, string codec, int fps, int width, int height)
    {
        var page = await bench.ReaderPageAsync();
        await BenchHost.ConnectAsync(page, id, codec);
        await page.EvaluateAsync("fps => orielBench.cap(fps)", fps);
        var drawing = bench.DrawAsync(id, "text", fps, bench.Seconds + 2, width, height);
        await page.WaitForFunctionAsync("() => orielBench.run.frames >= 20", null, new() { Timeout = 60_000 });
        await page.EvaluateAsync("() => orielBench.reset()");
        await drawing;
        var stages = await BenchHost.StagesAsync(page);
        await page.EvaluateAsync("() => orielBench.disconnect()");
        await page.Context.CloseAsync();
        return stages;
    }

    private static string Text(JsonNode? value) =>
        value is null ? "-" : value.GetValue<double>().ToString("F1", CultureInfo.InvariantCulture);
}
