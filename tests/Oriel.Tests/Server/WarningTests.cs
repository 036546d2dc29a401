using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Oriel.Desktops.Guests;
using Oriel.Desktops.Node;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;

namespace Oriel.Tests.Server;

/// <summary>What a person is told of a desktop that goes on: in the API, as an event, and no longer than it is so.</summary>
public sealed class WarningTests
{
    private const long Mib = 1 << 20;
    private static readonly object Small = new { width = PlayedGuest.Width, height = PlayedGuest.Height };

    /// <summary>Its desktops have disks of their own; what they start from is nobody's business here, as the keepers are played.</summary>
    private static readonly DesktopDriver Machine = new("qemu", DesktopDriver.MicroVm, "tcg", NeedsDisks: false, TimeScale: 1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Disk_FullThenCleared_IsWarnedOfWhileItIs()
    {
        var guest = new PlayedGuest();
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => guest },
            change: options => options with { Driver = Machine }
        );
        var id = await ReadyAsync(server);
        Assert.Empty(await WarningsAsync(server, id));

        guest.Disk = new DiskRoom { TotalBytes = 8192 * Mib, FreeBytes = 10 * Mib };
        var told = await server.WaitForAsync(id, "warnings", e => e["warnings"]!.AsArray().Count > 0);
        var warning = Assert.Single(await WarningsAsync(server, id));
        Assert.Equal(("scratch-full", "scratch-full"), (Code(warning), Code(told["warnings"]![0])));
        Assert.Contains("8192 MiB", warning!["message"]!.GetValue<string>());
        Assert.Contains("Delete files", warning["message"]!.GetValue<string>());
        Assert.InRange(warning["since"]!.GetValue<DateTimeOffset>(), DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow);
        Assert.Equal("ready", (await DesktopAsync(server, id))["state"]!.GetValue<string>());

        guest.Disk = new DiskRoom { TotalBytes = 8192 * Mib, FreeBytes = 4096 * Mib };
        await server.WaitForAsync(id, "warnings", e => e["warnings"]!.AsArray().Count == 0);
        Assert.Empty(await WarningsAsync(server, id));
    }

    [Fact]
    public async Task Disk_FullWhileNoServerWasThere_IsWarnedOfByTheNext()
    {
        var data = Directory.CreateTempSubdirectory("oriel-warning-").FullName;
        var guest = new PlayedGuest();
        await using var keepers = new PlayedKeepers { Guest = () => guest };
        try
        {
            string id;
            await using (var server = await TestServer.StartAsync(data, keepers, change: options => options with { Driver = Machine }))
            {
                id = await ReadyAsync(server);
            }

            guest.Disk = new DiskRoom { TotalBytes = 8192 * Mib, FreeBytes = 0 };
            await using (var server = await TestServer.StartAsync(data, keepers, change: options => options with { Driver = Machine }))
            {
                await server.WaitForAsync(id, "warnings", e => Code(e["warnings"]!.AsArray().SingleOrDefault()) == "scratch-full");
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task HostsDisk_FullThenNot_IsWarnedOfAtEachDesktopAndNobodysGuestIsAsked()
    {
        var guest = new PlayedGuest
        {
            Disk = new DiskRoom { TotalBytes = 8192 * Mib, FreeBytes = 0 },
        };
        await using var server = await TestServer.StartAsync(keepers: new PlayedKeepers { Guest = () => guest });
        var id = await ReadyAsync(server);
        server.Keepers.Free = 1023 * Mib;
        await server.WaitForAsync(id, "warnings", e => Code(e["warnings"]!.AsArray().SingleOrDefault()) == "disk-full");

        // A container has no disk of its own: what its guest sees is the server's, of which the server speaks itself.
        Assert.Equal(0, guest.DiskWatches);
        server.Keepers.Free = 1536 * Mib;
        await server.WaitForAsync(id, "warnings", e => e["warnings"]!.AsArray().Count == 0);
    }

    [Fact]
    public async Task Halt_OfAMachineOnAFullHost_IsWarnedOfUntilItGoesOn()
    {
        var room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var keepers = HaltedUntil(room.Task, new PlayedGuest());
        await using var server = await TestServer.StartAsync(keepers: keepers, change: options => options with { Driver = Machine });
        var id = await ReadyAsync(server);
        Assert.Equal("halted", Code(Assert.Single(await WarningsAsync(server, id))));
        room.SetResult();
        await server.WaitForAsync(id, "warnings", e => e["warnings"]!.AsArray().Count == 0);
    }

    [Fact]
    public async Task Halt_WhenTheNextServerComes_IsWaitedOutAndNoReasonToGiveUp()
    {
        var data = Directory.CreateTempSubdirectory("oriel-warning-").FullName;
        var (room, stands) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), false);
        var guest = new PlayedGuest
        {
            Calling = (_, context) => stands ? room.Task.WaitAsync(context.CancellationToken) : Task.CompletedTask,
        };
        await using var keepers = HaltedUntil(room.Task, guest);
        try
        {
            string id;
            await using (var server = await TestServer.StartAsync(data, keepers, change: options => options with { Driver = Machine }))
            {
                id = await ReadyAsync(server);
            }

            stands = true;
            await using (
                var server = await TestServer.StartAsync(
                    data,
                    keepers,
                    deadlines: TestServer.Short with
                    {
                        Adopt = TimeSpan.FromSeconds(1),
                    },
                    change: options => options with { Driver = Machine }
                )
            )
            {
                await server.WaitForAsync(
                    id,
                    "step",
                    e => e["name"]!.GetValue<string>() == "adopt" && e["state"]!.GetValue<string>() == "failed"
                );
                Assert.Equal("halted", Code(Assert.Single(await WarningsAsync(server, id))));
                room.SetResult();
                await server.WaitForAsync(
                    id,
                    "step",
                    e => e["name"]!.GetValue<string>() == "adopt" && e["state"]!.GetValue<string>() == "done"
                );
                await server.WaitForAsync(id, "warnings", e => e["warnings"]!.AsArray().Count == 0);
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Ended_DesktopWithAWarning_HasNone()
    {
        var guest = new PlayedGuest
        {
            Disk = new DiskRoom { TotalBytes = 8192 * Mib, FreeBytes = 0 },
        };
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => guest },
            change: options => options with { Driver = Machine }
        );
        var id = await ReadyAsync(server);
        await server.WaitForAsync(id, "warnings", e => e["warnings"]!.AsArray().Count > 0);
        guest.EndSession();
        await server.WaitForAsync(id, "end", _ => true);
        Assert.Empty(await WarningsAsync(server, id));
    }

    [Theory]
    [InlineData(256, 63, true)]
    [InlineData(256, 64, false)]
    [InlineData(8192, 409, true)]
    [InlineData(8192, 410, false)]
    [InlineData(1 << 20, 1023, true)]
    [InlineData(1 << 20, 1024, false)]
    public void IsLow_RoomInMib_IsATwentiethBetween64MibAnd1Gib(long total, long free, bool low) =>
        Assert.Equal(low, new ScratchRoom(total * Mib, free * Mib, 0, 0).IsLow(was: false));

    [Theory]
    [InlineData(256, 95, true)]
    [InlineData(256, 96, false)]
    [InlineData(1 << 20, 1535, true)]
    [InlineData(1 << 20, 1536, false)]
    public void IsLow_Before_StaysUntilThereIsHalfAsMuchAgain(long total, long free, bool low) =>
        Assert.Equal(low, new ScratchRoom(total * Mib, free * Mib, 0, 0).IsLow(was: true));

    [Theory]
    [InlineData(1000, 19, false, true)]
    [InlineData(1000, 20, false, false)]
    [InlineData(1000, 29, true, true)]
    [InlineData(1000, 30, true, false)]
    [InlineData(0, 0, false, false)]
    public void IsLow_FewInodes_IsAsBadAsFewBytes(long total, long free, bool was, bool low) =>
        Assert.Equal(low, new ScratchRoom(8192 * Mib, 4096 * Mib, total, free).IsLow(was));

    [Fact]
    public void IsLow_ADiskOfNothing_IsNoReasonToWarn() =>
        Assert.False(new ScratchRoom(-1, long.MinValue, long.MinValue, -1).IsLow(was: true));

    /// <summary>Keepers that tell each server anew of a machine that stands still, until there is room.</summary>
    private static PlayedKeepers HaltedUntil(Task room, PlayedGuest guest) =>
        new()
        {
            Guest = () => guest,
            Speech = async socket =>
            {
                await PlayedKeepers.SayAsync(socket, [new GuestRunning(0), new MachineReport(1, MachineState.Halted)]);
                _ = room.ContinueWith(
                    _ => PlayedKeepers.SayAsync(socket, [new MachineReport(2, MachineState.Running)]),
                    TaskScheduler.Default
                );
            },
        };

    private static async Task<string> ReadyAsync(TestServer server)
    {
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        return id;
    }

    private static async Task<JsonNode> DesktopAsync(TestServer server, string id) =>
        (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;

    private static async Task<JsonArray> WarningsAsync(TestServer server, string id) =>
        (await DesktopAsync(server, id))["warnings"]!.AsArray();

    private static string? Code(JsonNode? warning) => warning?["code"]!.GetValue<string>();
}
