using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Oriel.Desktops.Node;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Server;

/// <summary>
/// A store of snapshots that cannot be written or read: the pool says so, and desktops wait all the same. The machines are played.
/// </summary>
public sealed class PoolFaultTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pool_SnapshotThatCannotBeBegun_IsToldWhyAndDesktopsBoot()
    {
        var data = Directory.CreateTempSubdirectory("oriel-fault-").FullName;
        var image = TestServer.ImageIn(data);
        Directory.CreateDirectory(image.Path);
        await File.WriteAllTextAsync(image.Snapshots, "in the way", Token);
        await using var server = await StartAsync(data, new PlayedKeepers { Guest = () => new PlayedGuest() });
        await WaitAsync(server);
        foreach (var pool in await PoolsAsync(server))
        {
            Assert.Null(pool["problem"]);
            Assert.StartsWith("no snapshot can be begun: ", pool["snapshotProblem"]!.GetValue<string>());
        }

        Assert.Contains("Desktops of template default boot: no snapshot can be begun: ", server.Log.Text);
    }

    [Theory]
    [InlineData("manifest")]
    [InlineData("directory")]
    [InlineData("spec")]
    public async Task Pool_SnapshotThatCannotBeCompleted_EndsItsMachineAndDesktopsBoot(string what)
    {
        var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        var keep = keepers.Keeping;
        keepers.Keeping = async spec =>
        {
            var problem = await keep(spec);
            switch (what)
            {
                case "manifest":
                    Directory.CreateDirectory(new SnapshotDirectory(spec.Snapshot!.Directory).Manifest);
                    break;
                case "directory":
                    Directory.Delete(spec.Snapshot!.Directory, recursive: true);
                    break;
                default:
                    File.Delete(new Bundle(spec.Bundle).Spec);
                    break;
            }

            return problem;
        };
        await using var server = await StartAsync(Directory.CreateTempSubdirectory("oriel-fault-").FullName, keepers);
        await WaitAsync(server);
        await Eventually.HoldsAsync(() => Task.FromResult(keepers.Running == 2 ? null : $"{keepers.Running} keepers run"));
        foreach (var pool in await PoolsAsync(server))
        {
            Assert.StartsWith("the snapshot that was made cannot be saved: ", pool["snapshotProblem"]!.GetValue<string>());
        }

        Assert.Contains(
            "A warm desktop of template default was not made, the next one is tried in 1 s: the snapshot that was made cannot be saved: ",
            server.Log.Text
        );
        Assert.Empty(Kept(server));
    }

    [Fact]
    public async Task Pool_SnapshotThatTheVmmRefuses_LeavesNothingInTheStore()
    {
        var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        var keep = keepers.Keeping;
        keepers.Keeping = async spec =>
        {
            await keep(spec);
            return "no space is left";
        };
        await using var server = await StartAsync(Directory.CreateTempSubdirectory("oriel-fault-").FullName, keepers);
        await WaitAsync(server);
        Assert.All(await PoolsAsync(server), pool => Assert.Contains("no space is left", pool["snapshotProblem"]!.GetValue<string>()));
        Assert.Empty(Kept(server));
    }

    [Fact]
    public async Task Pool_KeeperThatEndsInASnapshot_SaysWhyAndDesktopsBoot()
    {
        var keepers = new PlayedKeepers
        {
            Guest = () => new PlayedGuest(),
            Ending = command =>
                Task.FromResult(command == "save" ? new PlayedEnd("oom", "the kernel killed the VMM for want of memory") : null),
        };
        await using var server = await StartAsync(Directory.CreateTempSubdirectory("oriel-fault-").FullName, keepers);
        await WaitAsync(server);
        Assert.All(
            await PoolsAsync(server),
            pool => Assert.Contains("the kernel killed the VMM for want of memory", pool["snapshotProblem"]!.GetValue<string>())
        );
        Assert.Empty(Kept(server));
    }

    [Fact]
    public async Task Pool_SnapshotThatCouldNotBeMade_IsTriedAgainLaterAndNotAtOnce()
    {
        var clock = new ShiftedClock();
        var keepers = new RestoringKeepers().Played;
        var keep = keepers.Keeping;
        var tries = 0;
        keepers.Keeping = spec => Interlocked.Increment(ref tries) <= 2 ? Task.FromResult<string?>("no space is left") : keep(spec);
        await using var server = await StartAsync(Directory.CreateTempSubdirectory("oriel-fault-").FullName, keepers, clock: clock);
        await WaitAsync(server);
        await ClaimAsync(server, "default");
        await WaitAsync(server);
        Assert.Equal(2, tries);

        clock.Shift = TimeSpan.FromMinutes(16);
        await ClaimAsync(server, "other");
        await WaitAsync(server);
        Assert.Null((await PoolsAsync(server)).Single(pool => pool["template"]!.GetValue<string>() == "other")["snapshotProblem"]);
        Assert.Single(Kept(server));
        Assert.Equal(3, tries);
    }

    [Fact]
    public async Task Pool_SnapshotLargerThanTheRoomInTheStore_SaysSo()
    {
        var keepers = new PlayedKeepers { Guest = () => new PlayedGuest(), Keeping = _ => Task.FromResult<string?>("the VMM ended") };
        await using var server = await StartAsync(Directory.CreateTempSubdirectory("oriel-fault-").FullName, keepers, memory: 1L << 60);
        await WaitAsync(server);
        Assert.All(
            await PoolsAsync(server),
            pool =>
                Assert.Matches(
                    @"the VMM ended \(the image store has \d+ MiB left; a snapshot of \w+ may take 1099511627776 MiB\)$",
                    pool["snapshotProblem"]!.GetValue<string>()
                )
        );
    }

    /// <summary>Whoever throws what nobody expects: the other template's desktops come at once, this one's are tried again.</summary>
    [Fact]
    public async Task Pool_FaultThatNobodyExpects_IsToldAndTheOthersGoOn()
    {
        var clock = new FaultyClock();
        var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        await using var server = await StartAsync(
            Directory.CreateTempSubdirectory("oriel-fault-").FullName,
            keepers,
            PlayedKeepers.Driver with
            {
                Vmm = null,
            },
            clock
        );
        await WaitAsync(server);
        Assert.Equal(1, clock.Faults);
        Assert.Contains("Making a warm desktop of template default ended early", server.Log.Text);
        Assert.Contains(
            "A warm desktop of template default was not made, the next one is tried in 1 s: The clock has stopped.",
            server.Log.Text
        );
    }

    private static string[] Kept(TestServer server) =>
        [
            .. Directory
                .EnumerateDirectories(server.Layout.Images)
                .Select(image => new ImageDirectory(image).Snapshots)
                .Where(Directory.Exists)
                .SelectMany(root => Directory.EnumerateFileSystemEntries(root)),
        ];

    /// <summary>With two templates, one desktop of each to wait.</summary>
    private static async Task<TestServer> StartAsync(
        string data,
        PlayedKeepers keepers,
        DesktopDriver? driver = null,
        TimeProvider? clock = null,
        long memory = 1
    )
    {
        await File.WriteAllTextAsync(
            new DataLayout(data).Templates,
            JsonSerializer.Serialize(
                ((string[])["default", "other"]).Select(name => new
                {
                    name,
                    warm = 1,
                    memoryBytes = memory,
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                })
            ),
            Token
        );
        return await TestServer.StartAsync(
            data,
            keepers,
            change: o => o with { Driver = driver ?? PlayedKeepers.Driver },
            ownsData: true,
            clock: clock
        );
    }

    private static async Task<List<JsonNode>> PoolsAsync(TestServer server) =>
        [.. (await server.Api.GetFromJsonAsync<JsonNode>("/api/pool", Token))!["templates"]!.AsArray().Select(pool => pool!)];

    private static async Task ClaimAsync(TestServer server, string template)
    {
        var id = (
            await server.CreateAsync(
                new
                {
                    template,
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                }
            )
        )["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
    }

    /// <summary>Until one of each waits.</summary>
    private static Task WaitAsync(TestServer server) =>
        Eventually.HoldsAsync(async () =>
            await PoolsAsync(server) is var pools && pools.All(pool => pool["waiting"]!.GetValue<int>() == 1)
                ? null
                : string.Join('\n', pools)
        );

    /// <summary>Throws once, at the first desktop that the pool begins.</summary>
    private sealed class ShiftedClock : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }

    private sealed class FaultyClock : TimeProvider
    {
        private int _faults;

        public int Faults => _faults;

        public override DateTimeOffset GetUtcNow() =>
            _faults == 0
            && Environment.StackTrace.Contains("WarmDesktop..ctor", StringComparison.Ordinal)
            && Interlocked.CompareExchange(ref _faults, 1, 0) == 0
                ? throw new InvalidTimeZoneException("The clock has stopped.")
                : base.GetUtcNow();
    }
}
