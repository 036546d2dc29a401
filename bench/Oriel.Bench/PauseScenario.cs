using System.Diagnostics;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>Pause and resume of a desktop that is drawn in, with a viewer that watches.</summary>
internal static class PauseScenario
{
    private const int Fps = 10;
    private const int Seconds = 50;

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var id = await bench.NewDesktopAsync(1280, 720);
        var page = await bench.ReaderPageAsync();
        await BenchHost.ConnectAsync(page, id, "h264");
        var drawing = bench.DrawAsync(id, "box", Fps, Seconds, 1280, 720);
        await page.WaitForFunctionAsync("() => orielBench.run.frames >= 10", null, new() { Timeout = 120_000 });
        var steps = new Steps();
        var ticks = new List<long>();
        for (var round = 0; round < 3; round++)
        {
            var watch = Stopwatch.StartNew();
            await PostAsync(bench.Server, id, "pause");
            steps.Add("pause", watch.Elapsed.TotalMilliseconds);
            var before = TicksOf(bench, id);
            var frames = await page.EvaluateAsync<int>("() => new Promise(done => setTimeout(() => done(orielBench.run.frames), 2000))");
            ticks.Add(TicksOf(bench, id) - before);
            watch.Restart();
            var next = page.WaitForFunctionAsync("frames => orielBench.run.frames > frames", frames, new() { Timeout = 60_000 });
            await PostAsync(bench.Server, id, "resume");
            steps.Add("resume", watch.Elapsed.TotalMilliseconds);
            await next;
            steps.Add("resume to the viewer's next frame", watch.Elapsed.TotalMilliseconds);
        }

        await drawing;
        await page.Context.CloseAsync();
        await bench.DestroyAsync(id);
        return new Report(
            [$"{bench.Driver}, load {BenchHost.Load()}", "median ms", "min", "max"],
            [.. steps.Names.Select(steps.Row)],
            $"Ticks of the processor (10 ms) that {(bench.HasSnapshots ? "the VMM" : "the guest's processes")} took in 2 s of each pause: {string.Join(", ", ticks)}. The picture is a box that moves {Fps} times a second, so up to {1000 / Fps} ms are its own."
        );
    }

    private static long TicksOf(BenchHost bench, string id) =>
        bench.HasSnapshots
            ? Host.CpuTicksOf(Host.MachineOf(bench.Server.Data, id))
            : Host.ProcessesOf(bench.Server.Data, id).Except([FootprintScenario.KeeperOf(bench.Server.Data, id)]).Sum(Host.CpuTicksOf);

    private static async Task PostAsync(OrielServer server, string id, string verb)
    {
        using var answer = await server.Api.PostAsync($"/api/desktops/{id}/{verb}", null);
        answer.EnsureSuccessStatusCode();
    }
}
