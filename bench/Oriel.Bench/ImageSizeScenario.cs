using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;
using Oriel.Protocol.Layout;

namespace Oriel.Bench;

/// <summary>
/// The start of a desktop up to its kernel's first program, with root disks of several sizes: the image's own, lengthened by random bytes,
/// which its file system does not know of, and sealed by its own digest. What the whole boot reads is the same in each, so what differs is
/// what the size itself costs.
/// </summary>
internal static class ImageSizeScenario
{
    private const int Starts = 3;
    private const string Kernel = "kernel";

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        if (bench.Driver.StartsWith("container", StringComparison.Ordinal))
        {
            return new Report(["root disk"], [], "Containers start from a directory, not from a disk.");
        }

        var rows = new List<string[]>();
        foreach (var gigabytes in bench.Quick ? new[] { 0, 8 } : [0, 2, 4, 8])
        {
            rows.Add(await MeasureAsync(bench, gigabytes));
        }

        return new Report(
            [
                $"root disk ({bench.Driver})",
                "first of a server: digest of the disks, ms",
                "digest again, ms",
                "keeper and its disk, ms",
                "VMM, ms",
                "kernel, ms",
                "POST to its first program, ms (min to max)",
                "load",
            ],
            rows,
            $"Medians of {Starts} desktops of one server, the first of which reads the disks once. The digest is linear by nature."
        );
    }

    private static async Task<string[]> MeasureAsync(BenchHost bench, int gigabytes)
    {
        var store = Directory.CreateTempSubdirectory("oriel-bench-images-");
        try
        {
            var size = await CopyAsync(store.FullName, gigabytes * 1_000_000_000L);
            await using var server = await bench.StartServerAsync(null, "--images", store.FullName);
            var steps = new Steps();
            var first = "";
            for (var start = 0; start < Starts; start++)
            {
                var watch = Stopwatch.StartNew();
                var id = (await server.CreateDesktopAsync(new { }))["id"]!.GetValue<string>();
                var desktop = await StartedAsync(server, id);
                if (start == 0)
                {
                    first = Steps.Text(
                        desktop["steps"]!.AsArray().First(step => step!["name"]!.GetValue<string>() == "image-disks")![
                            "elapsedMs"
                        ]!.GetValue<double>()
                    );
                }
                else
                {
                    steps.Add("whole", watch.Elapsed.TotalMilliseconds);
                    foreach (var step in desktop["steps"]!.AsArray().Where(step => step!["state"]!.GetValue<string>() == "done"))
                    {
                        steps.Add(step!["name"]!.GetValue<string>(), step["elapsedMs"]!.GetValue<double>());
                    }
                }

                await server.DestroyAllAsync(but: null);
            }

            var whole = steps.Row("whole");
            return
            [
                (size / 1e9).ToString("F1", CultureInfo.InvariantCulture) + " GB",
                first,
                steps.Median("image-disks"),
                steps.Median("keeper"),
                steps.Median("vm-start"),
                steps.Median(Kernel),
                $"{whole[1]} ({whole[2]} to {whole[3]})",
                BenchHost.Load(),
            ];
        }
        finally
        {
            store.Delete(recursive: true);
        }
    }

    /// <summary>Up to its kernel; on a host too busy for an emulated one to come up in time, up to the VMM.</summary>
    private static async Task<JsonNode> StartedAsync(OrielServer server, string id)
    {
        var started = await Steps.DoneAsync(server, id, "vm-start");
        try
        {
            return await Steps.DoneAsync(server, id, Kernel);
        }
        catch (InvalidOperationException)
        {
            return started;
        }
    }

    /// <summary>The newest image of the run's store, as far as a virtual machine needs it.</summary>
    /// <param name="size">Of the root disk, bytes; one that is larger stays as it is.</param>
    private static async Task<long> CopyAsync(string store, long size)
    {
        var (source, manifest) = Directory
            .EnumerateDirectories(new DataLayout(Environment.GetEnvironmentVariable("ORIEL_TEST_DATA")!).Images)
            .Select(path => new ImageDirectory(path))
            .Where(image => File.Exists(image.Manifest))
            .Select(image => (image, JsonNode.Parse(File.ReadAllText(image.Manifest))!))
            .MaxBy(image => image.Item2["createdAt"]!.GetValue<DateTimeOffset>());
        var target = new ImageDirectory(Path.Combine(store, Path.GetFileName(source.Path)));
        Directory.CreateDirectory(target.Tree);
        Directory.CreateDirectory(target.Disks);
        File.Copy(source.Kernel, target.Kernel);
        File.Copy(source.Initramfs, target.Initramfs);

        var disk = target.RootDisk;
        var (length, digest) = await LengthenedAsync(source.RootDisk, disk, size);
        (manifest["disks"]!["root"]!["sha256"], manifest["disks"]!["root"]!["size"]) = (digest, length);
        await File.WriteAllTextAsync(target.Manifest, manifest.ToJsonString());
        return length;
    }

    private static async Task<(long Length, string Digest)> LengthenedAsync(string source, string target, long size)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var from = File.OpenRead(source);
        await using var to = File.Create(target);
        var buffer = new byte[1 << 20];
        while (await from.ReadAsync(buffer) is > 0 and var read)
        {
            await PutAsync(buffer.AsMemory(0, read));
        }

        while (to.Length < size)
        {
            RandomNumberGenerator.Fill(buffer);
            await PutAsync(buffer);
        }

        File.SetUnixFileMode(target, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        return (to.Length, Convert.ToHexStringLower(hash.GetHashAndReset()));

        async ValueTask PutAsync(ReadOnlyMemory<byte> bytes)
        {
            hash.AppendData(bytes.Span);
            await to.WriteAsync(bytes);
        }
    }
}
