using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Node;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

/// <summary>
/// What a person is told of a desktop whose programs the kernel ended for want of memory, and of one whose machine was restarted. Files
/// stand for its cgroup's.
/// </summary>
public sealed class MemoryTests : IDisposable
{
    private static readonly object Small = new { width = PlayedGuest.Width, height = PlayedGuest.Height };
    private readonly string _data = Directory.CreateTempSubdirectory("oriel-memory-").FullName;
    private readonly string _cgroup = Directory.CreateTempSubdirectory("oriel-cgroup-").FullName;

    public void Dispose()
    {
        Directory.Delete(_data, recursive: true);
        if (Directory.Exists(_cgroup))
        {
            Directory.Delete(_cgroup, recursive: true);
        }
    }

    [Fact]
    public void AreRecent_KillsOfBefore_DoNotCountAndNewOnesPass()
    {
        var clock = new SteppedClock();
        Kill(3);
        var kills = new MemoryKills(_cgroup, clock);
        Assert.False(kills.AreRecent());
        Kill(4);
        Assert.True(kills.AreRecent());
        clock.Now += MemoryKills.Remembered - TimeSpan.FromSeconds(1);
        Assert.True(kills.AreRecent());
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.False(kills.AreRecent());
    }

    [Fact]
    public async Task Kill_OfAProgram_IsWarnedOfAndTheReasonOfASessionThatFallsWithIt()
    {
        var guest = new PlayedGuest();
        await using var keepers = new PlayedKeepers { Guest = () => guest };
        var id = await ReadyInAnEarlierServerAsync(keepers, spec => spec with { Limits = spec.Limits with { Cgroup = _cgroup } });
        await using var server = await TestServer.StartAsync(_data, keepers);
        await server.WaitForStateAsync(id, "ready");
        Kill(1);
        await server.WaitForAsync(
            id,
            "warnings",
            e => e["warnings"]!.AsArray().Any(warning => warning!["code"]!.GetValue<string>() == "oom")
        );
        guest.EndSession();
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;

        Assert.Equal(("oom", "session"), (reason["code"]!.GetValue<string>(), reason["step"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Adopt_KeeperOfAnEarlierBoot_IsDestroyedWithTheReasonThatTheHostWasRestarted()
    {
        await using var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        var id = await ReadyInAnEarlierServerAsync(keepers, spec => spec);
        var bundle = new DataLayout(_data).BundleOf(id);
        var identity = bundle.ReadIdentity()!;
        await File.WriteAllBytesAsync(
            bundle.Identity,
            JsonSerializer.SerializeToUtf8Bytes(
                identity with
                {
                    BootId = "00000000-0000-0000-0000-000000000000",
                },
                KeeperJsonContext.Default.KeeperIdentity
            ),
            TestContext.Current.CancellationToken
        );
        await using var server = await TestServer.StartAsync(_data, keepers);
        var reason = (await server.WaitForStateAsync(id, "destroyed"))["reason"]!;

        Assert.Equal("host-restarted", reason["code"]!.GetValue<string>());
        Assert.False(bundle.Exists);
    }

    private async Task<string> ReadyInAnEarlierServerAsync(PlayedKeepers keepers, Func<KeeperSpec, KeeperSpec> change)
    {
        await using var server = await TestServer.StartAsync(_data, keepers);
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        var bundle = new DataLayout(_data).BundleOf(id);
        await File.WriteAllBytesAsync(
            bundle.Spec,
            JsonSerializer.SerializeToUtf8Bytes(change(bundle.ReadSpec()!), KeeperJsonContext.Default.KeeperSpec),
            TestContext.Current.CancellationToken
        );
        return id;
    }

    private void Kill(int count) =>
        File.WriteAllText(Path.Combine(_cgroup, "memory.events"), $"low 0\nhigh 0\nmax 9\noom 1\noom_kill {count}\noom_group_kill 0\n");

    private sealed class SteppedClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
