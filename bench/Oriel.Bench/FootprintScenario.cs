using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;
using Oriel.Protocol.Layout;

namespace Oriel.Bench;

/// <summary>What one idle desktop takes of the host.</summary>
internal static class FootprintScenario
{
    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var id = (await bench.Server.CreateDesktopAsync(new { name = "footprint" }))["id"]!.GetValue<string>();
        await bench.Server.WaitReadyAsync(id);
        var bundle = bench.Server.Layout.BundleOf(id).Path;
        var keeper = KeeperOf(bench.Server.Data, id);
        var guest = Host.ProcessesOf(bench.Server.Data, id).Where(pid => pid != keeper).ToList();
        List<string[]> rows =
        [
            ["keeper, memory of its own (RssAnon + RssShmem)", Mebibytes(Memory(keeper, "RssAnon", "RssShmem"))],
            ["keeper, whole (RSS)", Mebibytes(Memory(keeper, "VmRSS"))],
            ["keeper, its share (PSS)", Mebibytes(ShareOf(keeper))],
        ];
        if (bench.Driver.StartsWith("container", StringComparison.Ordinal))
        {
            rows.Add([
                "guest, memory of all its processes (RssAnon + RssShmem)",
                Mebibytes(guest.Sum(pid => Memory(pid, "RssAnon", "RssShmem"))),
            ]);
        }
        else
        {
            var vmm = guest.MaxBy(pid => Memory(pid, "RssAnon"));
            var memory = Host.LargestMappingOf(vmm);
            rows.Add(["guest's memory that it has touched", Mebibytes(memory["Rss"] / 1024.0)]);
            rows.Add([
                "… of which it has the snapshot's pages, one copy for all desktops",
                Mebibytes((memory["Rss"] - memory["Anonymous"]) / 1024.0),
            ]);
            rows.Add(["… and pages of its own", Mebibytes(memory["Anonymous"] / 1024.0)]);
            rows.Add([
                "VMM beside it, memory of its own (RssAnon)" + (bench.IsEmulated ? ", translated code included" : ""),
                Mebibytes(Memory(vmm, "RssAnon") - (memory["Anonymous"] / 1024.0)),
            ]);
            rows.Add([
                "VMM beside it, pages of its program (RssFile), shared by all desktops",
                Mebibytes(guest.Sum(pid => Memory(pid, "RssFile"))),
            ]);
        }

        rows.Add(["disk, written by the desktop", Mebibytes(await DiskAsync(bundle))]);
        await bench.DestroyAsync(id);
        return new Report(
            [$"of one idle desktop, {bench.Driver}", "MiB"],
            rows,
            "The aim for a keeper is 25 MiB. proc(5); pages of files are the image's, and shared by all desktops."
        );
    }

    public static int KeeperOf(string data, string id) =>
        JsonNode.Parse(File.ReadAllText(new DataLayout(data).BundleOf(id).Identity))!["pid"]!.GetValue<int>();

    /// <summary>MiB, of the named lines of /proc/PID/status.</summary>
    private static double Memory(int pid, params string[] lines) => Sum($"/proc/{pid}/status", lines);

    private static double ShareOf(int pid) => Sum($"/proc/{pid}/smaps_rollup", "Pss");

    private static double Sum(string file, params string[] lines)
    {
        try
        {
            return File.ReadLines(file)
                    .Where(line => Array.Exists(lines, name => line.StartsWith(name + ":", StringComparison.Ordinal)))
                    .Sum(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture))
                / 1024;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return double.NaN;
        }
    }

    private static async Task<double> DiskAsync(string bundle)
    {
        using var du = Process.Start(
            new ProcessStartInfo("du", ["-s", "-k", bundle]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var output = await du.StandardOutput.ReadToEndAsync();
        return double.TryParse(output.Split('\t')[0], CultureInfo.InvariantCulture, out var kibibytes) ? kibibytes / 1024 : double.NaN;
    }

    private static string Mebibytes(double value) =>
        double.IsNaN(value) ? "not readable" : value.ToString("F1", CultureInfo.InvariantCulture);
}
