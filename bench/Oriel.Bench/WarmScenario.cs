using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>A desktop that waited against one made cold, and what each takes of the host.</summary>
internal static class WarmScenario
{
    private const string Environment = "BENCH";

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var rounds = bench.Quick ? 3 : 8;
        await using var server = await OrielServer.StartAsync("--warm", "1");
        var rows = new List<string[]>();
        foreach (var (name, warm, request) in new (string, bool, object)[]
        {
            ("claimed, the session stays", true, new { }),
            ("claimed, the session starts anew for its environment", true, new { env = new Dictionary<string, string> { [Environment] = "1" } }),
            ("cold", false, new { template = "cold" }),
        })
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
            ["desktop", "POST ms", "POST to ready ms", "min", "max"], rows,
            "A claim is constant time whatever waits; what follows is the configure handshake and the same proofs as for a cold desktop.");
    }

    /// <summary>Memory and disk of one idle desktop.</summary>
    public static async Task<Report> FootprintAsync(BenchHost bench)
    {
        var id = (await bench.Server.CreateDesktopAsync(new { name = "footprint" }))["id"]!.GetValue<string>();
        await bench.Server.WaitReadyAsync(id);
        var bundle = Path.Combine(bench.Server.Data, "desktops", id);
        var keeper = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(bundle, "keeper.json")))!["pid"]!.GetValue<int>();
        var all = Host.ProcessesOf(bench.Server.Data, id).ToList();
        string[][] rows =
        [
            ["keeper, memory of its own", Mebibytes(Memory(keeper))],
            ["guest, memory of all its processes", Mebibytes(all.Where(pid => pid != keeper).Sum(Memory))],
            ["disk, written by the desktop", Mebibytes(await DiskAsync(bundle))],
        ];
        await bench.DestroyAsync(id);
        return new Report(["of one idle desktop", "MiB"], [.. rows], "The aim for a keeper is 25 MiB. Memory is RssAnon + RssShmem (proc(5)); pages of files are the image's, and shared by all desktops. Shared memory counts once for each process that maps it.");
    }

    /// <summary>Templates are read at start: the same server, started again with nothing that waits.</summary>
    private static async Task RestartWithAColdTemplateAsync(OrielServer server)
    {
        await server.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(server.Data, "templates.json"), """[{"name":"cold"}]""");
        await server.RestartAsync();
    }

    private static Task IsWaitingAsync(OrielServer server, int count) => count == 0 ? Task.CompletedTask : OrielServer.EventuallyAsync(
        async () => JsonNode.Parse(await server.Api.GetStringAsync("/api/pool"))!["templates"]![0] is { } pool && pool["waiting"]!.GetValue<int>() >= count ? null : "nothing waits",
        TimeSpan.FromSeconds(120));

    /// <summary>Anonymous and shared memory, MiB (proc(5): RssAnon, RssShmem); pages of files are the image's, and shared by all desktops.</summary>
    private static double Memory(int pid)
    {
        try
        {
            return File.ReadLines($"/proc/{pid}/status")
                .Where(line => line.StartsWith("RssAnon:", StringComparison.Ordinal) || line.StartsWith("RssShmem:", StringComparison.Ordinal))
                .Sum(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture)) / 1024;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private static async Task<double> DiskAsync(string bundle)
    {
        using var du = Process.Start(new ProcessStartInfo("du", ["-s", "-k", bundle]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = await du.StandardOutput.ReadToEndAsync();
        return double.TryParse(output.Split('\t')[0], CultureInfo.InvariantCulture, out var kibibytes) ? kibibytes / 1024 : double.NaN;
    }

    private static string Median(List<double> times) => Text(times.Order().ElementAt(times.Count / 2));

    private static string Text(double ms) => ms.ToString("F0", CultureInfo.InvariantCulture);

    private static string Mebibytes(double value) => double.IsNaN(value) ? "not readable" : value.ToString("F1", CultureInfo.InvariantCulture);
}
