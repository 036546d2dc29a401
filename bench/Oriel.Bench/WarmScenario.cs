using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;
using Oriel.Protocol.Layout;

namespace Oriel.Bench;

/// <summary>A claimed desktop against a cold one.</summary>
internal static class WarmScenario
{
    private const string Environment = "BENCH";

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var rounds = bench.Quick ? 3 : 8;
        await using var server = await bench.StartServerAsync(null, "--warm", "1");
        var rows = new List<string[]>();
        foreach (
            var (name, warm, request) in new (string, bool, object)[]
            {
                ("claimed, the session stays", true, new { }),
                (
                    "claimed, the session starts anew for its environment",
                    true,
                    new { env = new Dictionary<string, string> { [Environment] = "1" } }
                ),
                ("cold", false, new { template = "cold" }),
            }
        )
        {
            if (!warm)
            {
                await RestartWithAColdTemplateAsync(server);
            }

            var (posts, readies) = (new List<double>(), new List<double>());
            for (var round = 0; round < rounds; round++)
            {
                await IsWaitingAsync(server, warm ? 1 : 0);
                var watch = Stopwatch.StartNew();
                var id = (await server.CreateDesktopAsync(request))["id"]!.GetValue<string>();
                posts.Add(watch.Elapsed.TotalMilliseconds);
                await server.WaitReadyAsync(id);
                readies.Add(watch.Elapsed.TotalMilliseconds);
                await server.DestroyAllAsync(but: null);
            }

            rows.Add([name, Median(posts), Median(readies), Text(readies.Min()), Text(readies.Max())]);
        }

        return new Report(
            ["desktop", "POST ms", "POST to ready ms", "min", "max"],
            rows,
            "A claim is constant time whatever waits; what follows is the configure handshake and the same proofs as for a cold desktop."
        );
    }

    /// <summary>Templates are read at start: the same server, started again with nothing that waits.</summary>
    private static async Task RestartWithAColdTemplateAsync(OrielServer server)
    {
        await server.StopAsync();
        await File.WriteAllTextAsync(server.Layout.Templates, """[{"name":"cold"}]""");
        await server.RestartAsync();
    }

    /// <summary>Until so many desktops wait, of the first template.</summary>
    internal static Task IsWaitingAsync(OrielServer server, int count) =>
        count == 0
            ? Task.CompletedTask
            : OrielServer.EventuallyAsync(
                async () =>
                    JsonNode.Parse(await server.Api.GetStringAsync("/api/pool"))!["templates"]![0] is { } pool
                    && pool["waiting"]!.GetValue<int>() >= count
                        ? null
                        : "nothing waits",
                TimeSpan.FromMinutes(6)
            );

    private static string Median(List<double> times) => Text(times.Order().ElementAt(times.Count / 2));

    private static string Text(double ms) => ms.ToString("F0", CultureInfo.InvariantCulture);
}
