using System.Globalization;
using Oriel.Bench;
using Spectre.Console;

// One command, one table: `./oriel bench [--quick] [--driver NAME] [--count N] [scenario...]`. Needs ORIEL_TEST_APP and ORIEL_TEST_DATA as the desktop ring does, and
// ORIEL_BENCH_DRAW, the published oriel-bench-draw. Writes the Markdown of its tables to the file named by --out.

var quick = args.Contains("--quick");
string[] valued = ["--out", "--driver", "--count"];
var output = ValueOf("--out");
var wanted = args.Where((arg, index) => !arg.StartsWith("--", StringComparison.Ordinal) && (index == 0 || !valued.Contains(args[index - 1]))).ToHashSet();

await using var bench = await BenchHost.StartAsync(quick, ValueOf("--driver"), ValueOf("--count") is { } count ? int.Parse(count, CultureInfo.InvariantCulture) : null);
var scenarios = new (string Name, string What, Func<Task<Report>> Run)[]
{
    ("create", "From POST to ready, cold, and the share of each step", () => CreateScenario.RunAsync(bench)),
    ("warm", "A desktop that waited, booted, against one made cold", () => WarmScenario.RunAsync(bench)),
    ("footprint", "What one desktop takes of the host", () => FootprintScenario.RunAsync(bench)),
    ("restore", "A machine booted against one that goes on from a snapshot", () => RestoreScenario.RunAsync(bench)),
    ("fork", "A fork of a running desktop, and how long the other one stands still for it", () => ForkScenario.RunAsync(bench)),
    ("pause", "A desktop paused and resumed before its viewer", () => PauseScenario.RunAsync(bench)),
    ("imagesize", "What the size of an image costs a desktop's start", () => ImageSizeScenario.RunAsync(bench)),
    ("latency", "Draw in X to pixels read in the page, full-screen text, side by side with TigerVNC + noVNC", () => LatencyScenario.RunAsync(bench)),
    ("stages", "Where the time goes, from the drawing call to the page", () => StageScenario.RunAsync(bench)),
    ("idle", "A still desktop with one viewer", () => LoadScenario.IdleAsync(bench)),
    ("viewers", "One desktop, several viewers, 720p text at 30 fps", () => LoadScenario.ViewersAsync(bench)),
    ("network", "Thin and lossy links, 720p text at 30 fps", () => LoadScenario.NetworkAsync(bench)),
};

var markdown = new List<string>
{
    "# Performance", "",
    $"Measured on {DateTime.UtcNow:yyyy-MM-dd} with `./oriel bench`: {bench.Machine()}. Everything (server, guest, browser) ran on this one machine; read ratios, not",
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

string? ValueOf(string option) => Array.IndexOf(args, option) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
