using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Server;

/// <summary>
/// A snapshot that an earlier server made, on a host that has changed since: what the next server does with it. The machines are played.
/// </summary>
public sealed class SnapshotFitTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("oriel-fit-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Vmm => Path.Combine(_data, "vmm");

    private string[] Kept =>
        [
            .. Directory
                .EnumerateDirectories(new DataLayout(_data).Images)
                .Select(image => new ImageDirectory(image).Snapshots)
                .Where(Directory.Exists)
                .SelectMany(root => Directory.EnumerateDirectories(root)),
        ];

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task Pool_SnapshotOfThisHost_IsWhatTheNextServersMachinesGoOnFrom()
    {
        await MakeAsync();
        var keepers = new RestoringKeepers();
        await using var server = await StartAsync(keepers);
        await IsWaitingAsync(server);
        Assert.Equal(new KeeperSnapshot(Kept.Single(), IsRestore: true), keepers.Started.Single().Snapshot);
        Assert.Null((await PoolAsync(server))["snapshotRefused"]);
        Assert.DoesNotContain("is not used", server.Log.Text);
    }

    [Fact]
    public async Task Pool_VmmThatOpensMemoryForWriting_GetsACopyThatAllShare()
    {
        await MakeAsync();
        var keepers = new RestoringKeepers();
        await using var server = await StartAsync(keepers, opensMemoryForWriting: true);
        await IsWaitingAsync(server);
        var id = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        await IsWaitingAsync(server);

        var memory = Assert.Single(keepers.Started.Select(spec => spec.Snapshot?.SharedMemory).Distinct());
        Assert.Equal("memory", await File.ReadAllTextAsync(memory!, Token));
    }

    [Fact]
    public async Task Pool_SnapshotOfAnotherVmm_IsRefusedWithTheReasonAndReplacedInTheBackground()
    {
        await MakeAsync();
        var former = Kept.Single();
        SetVmm("Played VMM 9.0.0");
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var keepers = new RestoringKeepers();
        var keep = keepers.Played.Keeping;
        keepers.Played.Keeping = async spec =>
        {
            await gate.Task;
            return await keep(spec);
        };
        await using var played = keepers.Played;
        await using var server = await StartAsync(keepers);

        const string Reason = "made by Played VMM 7.2.1, this host has Played VMM 9.0.0";
        await Eventually.HoldsAsync(async () =>
            await PoolAsync(server) is var pool && pool["snapshotRefused"]?.GetValue<string>() == Reason ? null : pool.ToJsonString()
        );
        var shown = (await server.Api.GetFromJsonAsync<JsonNode>("/api/images", Token))!["images"]![0]!["snapshots"]!.AsArray().Single()!;
        Assert.Equal(("Played VMM 7.2.1", Reason), (shown["vmm"]!.GetValue<string>(), shown["refused"]!.GetValue<string>()));
        Assert.True(Directory.Exists(former));

        // Whoever asks meanwhile gets one that boots.
        var id = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        gate.SetResult();
        await IsWaitingAsync(server);

        Assert.NotEqual(former, Kept.Single());
        Assert.Equal(new KeeperSnapshot(Kept.Single(), IsRestore: true), keepers.Started.Last().Snapshot);
        Assert.Null((await PoolAsync(server))["snapshotRefused"]);
        Assert.Single(server.Log.Text.Split('\n'), line => line.Contains("is not used: " + Reason, StringComparison.Ordinal));
    }

    /// <summary>Making another fails too: it stays refused, and desktops boot.</summary>
    [Theory]
    [InlineData("cpu", "made on Another processor, this host has ")]
    [InlineData("cpuFeatures", "with other features than this host's has")]
    [InlineData("kernel", "made under Linux Another processor, this host runs ")]
    [InlineData("vmmChangedAt", "made by another build of Played VMM 7.2.1 than this host has")]
    [InlineData("files", "its file 'state' has 9 bytes instead of 5")]
    [InlineData("missing", "its file 'memory' is missing")]
    [InlineData("unreadable", "its manifest cannot be read: ")]
    [InlineData("name", "its manifest cannot be read: ")]
    [InlineData("disks", "made with the image's previous disks (kernel 6.1.0), which are others now (kernel none)")]
    public async Task Pool_SnapshotThatDoesNotFit_IsToldWhyAndNeverGoneOnFrom(string what, string reason)
    {
        await MakeAsync();
        await SpoilAsync(Kept.Single(), what);
        var keepers = new RestoringKeepers();
        keepers.Played.Keeping = _ => Task.FromResult<string?>("the VMM refused");
        await using var server = await StartAsync(keepers);
        await IsWaitingAsync(server);
        Assert.Contains(reason, (await PoolAsync(server))["snapshotRefused"]!.GetValue<string>());
        Assert.DoesNotContain(keepers.Started, spec => spec.Snapshot is { IsRestore: true });
    }

    private static async Task SpoilAsync(string snapshot, string what)
    {
        var file = new SnapshotDirectory(snapshot).Manifest;
        var manifest = JsonNode.Parse(await File.ReadAllTextAsync(file, Token))!;
        switch (what)
        {
            case "files":
                await File.AppendAllTextAsync(new SnapshotDirectory(snapshot).State, "more", Token);
                return;
            case "missing":
                File.Delete(new SnapshotDirectory(snapshot).Memory);
                return;
            case "unreadable":
                await File.WriteAllTextAsync(file, "{ }", Token);
                return;
            case "name":
                manifest["files"]!["no\0name"] = 1;
                break;
            case "disks":
                var disk = new
                {
                    name = "disk",
                    sha256 = new string('0', 64),
                    size = 1,
                };
                manifest["disks"] = JsonSerializer.SerializeToNode(
                    new
                    {
                        kernelRelease = "6.1.0",
                        kernel = disk,
                        initramfs = disk,
                        root = disk,
                        rootFormat = "erofs",
                    }
                );
                break;
            case "vmmChangedAt":
                manifest["host"]![what] = DateTimeOffset.UnixEpoch;
                break;
            default:
                manifest["host"]![what] = "Another processor";
                break;
        }

        await File.WriteAllTextAsync(file, manifest.ToJsonString(), Token);
    }

    /// <summary>A server that has one made, and ends.</summary>
    private async Task MakeAsync()
    {
        SetVmm("Played VMM 7.2.1");
        await using var server = await StartAsync(new RestoringKeepers());
        await IsWaitingAsync(server);
        Assert.Single(Kept);
    }

    private void SetVmm(string version)
    {
        File.WriteAllText(Vmm, $"#!/bin/sh\n[ \"$1\" = --version ] && echo '{version}'\n");
        File.SetUnixFileMode(Vmm, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private async Task<TestServer> StartAsync(RestoringKeepers keepers, bool opensMemoryForWriting = false)
    {
        await File.WriteAllTextAsync(
            new DataLayout(_data).Templates,
            JsonSerializer.Serialize(
                new object[]
                {
                    new
                    {
                        name = "default",
                        warm = 1,
                        width = PlayedGuest.Width,
                        height = PlayedGuest.Height,
                    },
                }
            ),
            Token
        );
        return await TestServer.StartAsync(
            _data,
            keepers.Played,
            change: o =>
                o with
                {
                    Driver = PlayedKeepers.Driver with { Accelerator = "kvm", Vmm = Vmm, OpensMemoryForWriting = opensMemoryForWriting },
                }
        );
    }

    private static async Task<JsonNode> PoolAsync(TestServer server) =>
        (await server.Api.GetFromJsonAsync<JsonNode>("/api/pool", Token))!["templates"]!.AsArray().Single()!;

    private static Task IsWaitingAsync(TestServer server) =>
        Eventually.HoldsAsync(async () =>
            await PoolAsync(server) is var pool && pool["waiting"]!.GetValue<int>() == 1 ? null : pool.ToJsonString()
        );
}
