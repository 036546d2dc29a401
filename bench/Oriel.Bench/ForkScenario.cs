using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>POST …/fork to ready by step, and what the one that is copied loses of its time.</summary>
internal static class ForkScenario
{
    /// <summary>
    /// Wall clock less time since the start (proc(5): uptime, in 10 ms), without starting a program. While a machine is halted its uptime
    /// stands still too, and afterwards it is given the time again: what it stood still for is what the difference grows by.
    /// </summary>
    private const string Lost = "read -r up _ < /proc/uptime; echo $EPOCHREALTIME $up";

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        if (!bench.HasSnapshots)
        {
            return new Report(["step", "median ms", "min", "max"], [], $"The driver {bench.Driver} forks nothing.");
        }

        await using var server = await bench.StartServerAsync(RestoreScenario.ColdTemplates(), "--max-desktops", "2");
        var source = (await server.CreateDesktopAsync(new { name = "source", template = RestoreScenario.Cold }))["id"]!.GetValue<string>();
        await server.WaitReadyAsync(source, TimeSpan.FromMinutes(6));
        var steps = new Steps();
        for (var round = 0; round < (bench.Quick ? 2 : 4); round++)
        {
            var before = await LostAsync(server, source);
            var watch = Stopwatch.StartNew();
            using var answer = await server.Api.PostAsJsonAsync($"/api/desktops/{source}/fork", new { name = $"fork-{round}" });
            answer.EnsureSuccessStatusCode();
            var id = (await answer.Content.ReadFromJsonAsync<JsonNode>())!["id"]!.GetValue<string>();
            steps.AddAll(await server.WaitReadyAsync(id, TimeSpan.FromMinutes(6)));
            steps.Add("**POST to ready**", watch.Elapsed.TotalMilliseconds);
            steps.Add("**the source is halted**", await LostAsync(server, source) - before);
            await server.DestroyAllAsync(but: source);
        }

        return new Report(
            [$"step ({bench.Driver}, load {BenchHost.Load()})", "median ms", "min", "max"],
            [.. steps.Names.Select(steps.Row)],
            "Standing still is measured inside, by what the uptime lacks against the time of day. Steps overlap, so they do not add up."
        );
    }

    private static async Task<double> LostAsync(OrielServer server, string id)
    {
        var told = (await server.ShellAsync(id, Lost))
            .Stdout.Split(' ')
            .Select(number => double.Parse(number, CultureInfo.InvariantCulture))
            .ToArray();
        return 1000 * (told[0] - told[1]);
    }
}
