using System.Globalization;
using Oriel.Bench;
using Spectre.Console;

// One command, one table: `./oriel bench [--quick] [--driver NAME] [--count N] [scenario...]`. Needs ORIEL_TEST_APP and ORIEL_TEST_DATA as
// the desktop ring does, and ORIEL_BENCH_DRAW, the published oriel-bench-draw. Writes the Markdown of its tables to the file named by
// --out.

var quick = args.Contains("--quick");
string[] valued = ["--out", "--driver", "--count"];
var output = ValueOf("--out");
string[] names =
[
    .. args.Where((arg, index) => !arg.StartsWith("--", StringComparison.Ordinal) && (index == 0 || !valued.Contains(args[index - 1]))),
];

var scenarios = new (string Name, string What, Func<BenchHost, Task<Report>> Run)[]
{
    ("create", "From POST to ready, cold, and the share of each step", bench => CreateScenario.RunAsync(bench)),
    ("warm", "A claimed desktop against a cold one", bench => WarmScenario.RunAsync(bench)),
    ("footprint", "What one desktop takes of the host", bench => FootprintScenario.RunAsync(bench)),
    ("restore", "A booted machine against one restored from a snapshot", bench => RestoreScenario.RunAsync(bench)),
    ("fork", "A fork of a running desktop, and how long its source is halted", bench => ForkScenario.RunAsync(bench)),
    ("pause", "A desktop paused and resumed in front of its viewer", bench => PauseScenario.RunAsync(bench)),
    ("imagesize", "What the size of an image costs a desktop's start", bench => ImageSizeScenario.RunAsync(bench)),
    ("latency", "Draw in X to pixels read in the page, beside TigerVNC + noVNC", bench => LatencyScenario.RunAsync(bench)),
    ("stages", "Where the time goes, from the drawing call to the page", bench => StageScenario.RunAsync(bench)),
    ("idle", "A still desktop with one viewer", bench => LoadScenario.IdleAsync(bench)),
    ("viewers", "One desktop, several viewers, 720p text at 30 fps", bench => LoadScenario.ViewersAsync(bench)),
    ("network", "Thin and lossy links, 720p text at 30 fps", bench => LoadScenario.NetworkAsync(bench)),
    ("flood", "A desktop and the server while another desktop, or the network, floods", bench => FloodScenario.RunAsync(bench)),
};

if (names.FirstOrDefault(name => scenarios.All(scenario => scenario.Name != name)) is { } unknown)
{
    Console.Error.WriteLine($"oriel: there is no scenario '{unknown}': {string.Join(", ", scenarios.Select(scenario => scenario.Name))}.");
    return 2;
}

await using var bench = await BenchHost.StartAsync(
    quick,
    ValueOf("--driver"),
    ValueOf("--count") is { } count ? int.Parse(count, CultureInfo.InvariantCulture) : null
);
var markdown = new List<string>
{
    "# What `./oriel bench` measured",
    "",
    $"Measured on {DateTime.UtcNow:yyyy-MM-dd} with `./oriel bench`: {bench.Machine()}. Everything (server, guest, browser) ran on this one machine; compare ratios,",
    "not absolute figures. Latencies go from the drawing call in X to the moment at which the page has the pixels.",
    "",
};
foreach (var (name, what, run) in scenarios.Where(scenario => names.Length == 0 || names.Contains(scenario.Name)))
{
    AnsiConsole.MarkupLineInterpolated($"[bold]{name}[/]: {what}");
    var report = await run(bench);
    AnsiConsole.Write(report.ToTable());
    markdown.AddRange(report.ToMarkdown(what));
}

if (output is not null)
{
    await File.WriteAllLinesAsync(output, markdown);
}

return 0;

string? ValueOf(string option) => Array.IndexOf(args, option) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
