using Oriel.Bench;
using Spectre.Console;

// One command, one table: `./oriel bench [--quick] [scenario...]`. Needs ORIEL_TEST_APP and ORIEL_TEST_DATA as the desktop ring does, and
// ORIEL_BENCH_DRAW, the published oriel-bench-draw. Writes the Markdown of its tables to the file named by --out.

var quick = args.Contains("--quick");
var outAt = Array.IndexOf(args, "--out");
var output = outAt >= 0 && outAt + 1 < args.Length ? args[outAt + 1] : null;
var wanted = args.Where((arg, index) => !arg.StartsWith("--", StringComparison.Ordinal) && (outAt < 0 || index != outAt + 1)).ToHashSet();

await using var bench = await BenchHost.StartAsync(quick);
var scenarios = new (string Name, string What, Func<Task<Report>> Run)[]
{
    ("create", "From POST to ready, cold, and the share of each step", () => CreateScenario.RunAsync(bench)),
    ("warm", "A desktop that waited, booted, against one made cold", () => WarmScenario.RunAsync(bench)),
    ("footprint", "What one desktop takes of the host", () => WarmScenario.FootprintAsync(bench)),
    ("latency", "Draw in X to pixels read in the page, full-screen text, side by side with TigerVNC + noVNC", () => LatencyScenario.RunAsync(bench)),
    ("stages", "Where the time goes, from the drawing call to the page", () => StageScenario.RunAsync(bench)),
    ("idle", "A still desktop with one viewer", () => LoadScenario.IdleAsync(bench)),
    ("viewers", "One desktop, several viewers, 720p text at 30 fps", () => LoadScenario.ViewersAsync(bench)),
    ("network", "Thin and lossy links, 720p text at 30 fps", () => LoadScenario.NetworkAsync(bench)),
};

var markdown = new List<string>
{
    "# Performance", "",
    $"Measured on {DateTime.UtcNow:yyyy-MM-dd} with `./oriel bench`: {BenchHost.Machine()}. Everything (server, guest, browser) ran on this one machine; read ratios, not",
    "absolute figures. Latencies go from the drawing call in X to the moment at which the page has the pixels.", "",
};
foreach (var (name, what, run) in scenarios.Where(scenario => wanted.Count == 0 || wanted.Contains(scenario.Name)))
{
    AnsiConsole.MarkupLineInterpolated($"[bold]{name}[/]: {what}");
    var report = await run();
    AnsiConsole.Write(report.ToTable());
    markdown.AddRange(report.ToMarkdown(what));
}

if (output is not null)
{
    await File.WriteAllLinesAsync(output, markdown);
}

return 0;
