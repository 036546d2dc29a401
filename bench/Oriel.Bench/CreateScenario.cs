using System.Diagnostics;
using System.Globalization;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>POST to ready with each step's time, and the page's Connect to the first decoded frame.</summary>
internal static class CreateScenario
{
    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var rounds = bench.Quick ? 2 : 5;
        var steps = new Dictionary<string, List<double>>();
        var ready = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            var id = (await bench.Server.CreateDesktopAsync(new { name = $"create-{round}" }))["id"]!.GetValue<string>();
            var desktop = await bench.Server.WaitReadyAsync(id);
            ready.Add(watch.Elapsed.TotalMilliseconds);
            foreach (var step in desktop["steps"]!.AsArray())
            {
                var name = step!["name"]!.GetValue<string>();
                (steps.TryGetValue(name, out var times) ? times : steps[name] = []).Add(step["elapsedMs"]!.GetValue<double>());
            }

            await bench.DestroyAsync(id);
        }

        var frames = new List<double>();
        var reloads = new List<double>();
        for (var round = 0; round < Math.Min(rounds, 3); round++)
        {
            frames.Add(await ConnectToFirstFrameAsync(bench, reloads));
        }

        var rows = steps.Select(step => Row(step.Key, step.Value)).ToList();
        rows.Add(Row("**POST to ready**", ready));
        rows.Add(Row("**Connect pressed to first decoded frame**", frames));
        rows.Add(Row("**Reload of the viewer to picture and input**", reloads));
        return new Report(
            ["step", "median ms", "min", "max"],
            rows,
            "Steps overlap, so they do not add up. The aim is 4 s from POST to ready."
        );
    }

    /// <summary>
    /// The page's own clock from the start of the navigation until the viewer says that it plays: first frame shown, channels open.
    /// </summary>
    private const string WatchPlaying =
        "document.addEventListener('oriel-state', event => { if (event.detail.state === 'playing') globalThis.playedAt ??= performance.now(); })";

    private static async Task<double> ConnectToFirstFrameAsync(BenchHost bench, List<double> reloads)
    {
        var page = await bench.ReaderPageAsync();
        await page.AddInitScriptAsync(WatchPlaying);
        var watch = Stopwatch.StartNew();
        await page.GetByTestId("connect").First.ClickAsync();
        await Eyes.PlaysAsync(page, 240);
        var elapsed = watch.Elapsed.TotalMilliseconds;
        for (var round = 0; round < 5; round++)
        {
            await page.ReloadAsync();
            await page.WaitForFunctionAsync("() => globalThis.playedAt !== undefined");
            reloads.Add(await page.EvaluateAsync<double>("() => globalThis.playedAt"));
        }

        await page.Context.CloseAsync();
        foreach (
            var desktop in System.Text.Json.Nodes.JsonNode.Parse(await bench.Server.Api.GetStringAsync("/api/desktops"))![
                "desktops"
            ]!.AsArray()
        )
        {
            await bench.DestroyAsync(desktop!["id"]!.GetValue<string>());
        }

        return elapsed;
    }

    private static string[] Row(string name, List<double> times)
    {
        times.Sort();
        return [name, Text(times[times.Count / 2]), Text(times[0]), Text(times[^1])];
    }

    private static string Text(double ms) => ms.ToString("F0", CultureInfo.InvariantCulture);
}
