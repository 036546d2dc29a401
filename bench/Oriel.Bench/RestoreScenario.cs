using System.Diagnostics;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>POST to ready by step, booted and from a snapshot, one desktop and several at once.</summary>
internal static class RestoreScenario
{
    private const string One = "**POST to ready, one**",
        First = "**several at once: the first is ready**",
        Last = "**several at once: all are ready**";

    /// <summary>The name of a template whose desktops boot.</summary>
    public const string Cold = "cold";

    /// <summary>A snapshot is of a machine of one size and with one screen: there is none of this one.</summary>
    public static JsonArray ColdTemplates() =>
        new(
            new JsonObject
            {
                ["name"] = Cold,
                ["width"] = 1280,
                ["height"] = 736,
            }
        );

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var booted = await MeasureAsync(bench, restored: false);
        var restored = bench.HasSnapshots ? await RestoredAsync(bench) : new Steps();
        var rows = booted
            .Names.Union(restored.Names)
            .Where(name => !name.StartsWith('*'))
            .Append(One)
            .Append(First)
            .Append(Last)
            .Select(name => (string[])[name, booted.Median(name), restored.Median(name)])
            .ToList();
        return new Report(
            [$"step ({bench.Driver}, load {BenchHost.Load()})", "booted, ms", "from a snapshot, ms"],
            rows,
            $"Medians of {Rounds(bench)} of one desktop at a time; several are {bench.Count} at once, once, and only from a snapshot where the machine is emulated. Steps overlap, so they do not add up. {(bench.HasSnapshots ? "" : "This driver makes no snapshots.")}"
        );
    }

    private static int Rounds(BenchHost bench) => bench.Quick || bench.IsEmulated ? 2 : 5;

    /// <summary>
    /// A pool has the snapshot made; the server after it has none, so each of its desktops is restored from the snapshot when it is asked
    /// for.
    /// </summary>
    private static async Task<Steps> RestoredAsync(BenchHost bench)
    {
        await using (var pool = await bench.StartServerAsync(null, "--warm", "1"))
        {
            await WarmScenario.IsWaitingAsync(pool, 1);
        }

        return await MeasureAsync(bench, restored: true);
    }

    private static async Task<Steps> MeasureAsync(BenchHost bench, bool restored)
    {
        var template = restored ? null : Cold;
        await using var server = await bench.StartServerAsync(restored ? null : ColdTemplates(), "--max-desktops", $"{bench.Count}");
        var steps = new Steps();
        for (var round = 0; round < Rounds(bench); round++)
        {
            var watch = Stopwatch.StartNew();
            steps.AddAll(await CreateAsync(server, template));
            steps.Add(One, watch.Elapsed.TotalMilliseconds);
            await server.DestroyAllAsync(but: null);
        }

        if (bench.IsEmulated && !restored)
        {
            // Emulated processors boot one after the other: many at once tell no more than one does.
            return steps;
        }

        var together = Stopwatch.StartNew();
        var readies = await Task.WhenAll(
            Enumerable
                .Range(0, bench.Count)
                .Select(async _ =>
                {
                    await CreateAsync(server, template);
                    return together.Elapsed.TotalMilliseconds;
                })
        );
        steps.Add(First, readies.Min());
        steps.Add(Last, readies.Max());
        return steps;
    }

    private static async Task<JsonObject> CreateAsync(OrielServer server, string? template)
    {
        var id = (await server.CreateDesktopAsync(template is null ? new { } : new { template }))["id"]!.GetValue<string>();
        return await server.WaitReadyAsync(id, TimeSpan.FromMinutes(10));
    }
}
