using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>Machines that go on from one kept at the barrier; by emulation where this host has no KVM.</summary>
public sealed class VmSnapshotTests(Ring ring) : MachineTests(ring)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(6);

    [Fact]
    public async Task Restored_TwoDesktopsOfOneSnapshot_AreReadyWithoutABootAndNoTwins()
    {
        SkipUnlessMachinesRun();
        await using var server = await OrielServer.StartAsync("--driver", "qemu", "--warm", "1", "--max-desktops", "2");

        // The first machine boots, is kept and ends; the one that waits goes on from it.
        await OrielServer.EventuallyAsync(
            async () =>
                (await server.Api.GetFromJsonAsyncNode("/api/pool"))!["templates"]![0]! is var pool && pool["waiting"]!.GetValue<int>() == 1
                    ? null
                    : $"nothing waits yet: {pool.ToJsonString()}",
            Deadline
        );
        var images = new DataLayout(Environment.GetEnvironmentVariable("ORIEL_TEST_DATA")!).Images;
        var memory = Directory
            .EnumerateDirectories(images)
            .Select(image => new ImageDirectory(image).Snapshots)
            .Where(Directory.Exists)
            .SelectMany(snapshots => Directory.EnumerateDirectories(snapshots))
            .Select(snapshot => new SnapshotDirectory(snapshot).Memory)
            .MaxBy(File.GetLastWriteTimeUtc)!;
        var before = await DigestAsync(memory);

        var ids = new List<string>();
        var identities = new List<string[]>();
        for (var i = 0; i < 2; i++)
        {
            ids.Add(Ring.IdOf(await server.CreateDesktopAsync(new { })));
            var desktop = await server.WaitReadyAsync(ids[i], Deadline);
            Tell("restored machine", desktop);
            var steps = desktop["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>()).ToList();
            Assert.Equal("claim", steps[0]);
            Assert.DoesNotContain("kernel", steps);
            Assert.DoesNotContain("session-end", steps);
            var (code, told, error) = await server.ShellAsync(ids[i], Identity);
            Assert.True(code == 0, error);
            identities.Add(told.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            var clock = long.Parse((await server.ShellAsync(ids[i], "date +%s")).Stdout, CultureInfo.InvariantCulture);
            Assert.InRange(clock, DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 30, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 30);
        }

        Assert.Equal(4, identities[0].Length);
        Assert.All(identities[0].Zip(identities[1]), pair => Assert.NotEqual(pair.First, pair.Second));
        Assert.Equal(before, await DigestAsync(memory));
        ids.ForEach(id => SharesMemory(server, id));
        await DoNotHearEachOtherAsync(server, ids);
    }

    /// <summary>What neither has written to since the snapshot is there once for both.</summary>
    private static void SharesMemory(OrielServer server, string id)
    {
        var memory = Host.LargestMappingOf(Host.MachineOf(server.Data, id));
        TestContext.Current.SendDiagnosticMessage($"KiB of the memory of {id}: {string.Join(", ", memory)}");
        // What lies in memory alone counts as dirty, written to or not.
        Assert.InRange(memory["Shared_Clean"] + memory["Shared_Dirty"], 64 << 10, 2 << 20);
    }

    private static async Task DoNotHearEachOtherAsync(OrielServer server, List<string> ids)
    {
        Assert.Equal(0, (await server.ShellAsync(ids[0], LeakProbe.Listen)).ExitCode);
        Assert.Equal("called\n", (await server.ShellAsync(ids[1], LeakProbe.Calling("second"))).Stdout);
        Assert.Equal("called\nfirst\nlistening\n", (await server.ShellAsync(ids[0], LeakProbe.Heard("first"))).Stdout);
    }

    private static async Task<string> DigestAsync(string path)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, Token));
    }
}
