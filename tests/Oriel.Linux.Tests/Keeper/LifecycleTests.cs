using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

public sealed class LifecycleTests
{
    [Fact]
    public async Task Start_OfAContainer_TellsEachStepInOrderWithItsTime()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var steps = keeper.Seen.OfType<KeeperStep>().ToList();
        string[] names = ["namespaces", "network", "scratch", "container-create", "container-start", "agent-link"];
        Assert.Equal(
            names.SelectMany(name => (string[])[$"{name} running", $"{name} done"]),
            steps.Select(step => $"{step.Name} {step.State}".ToLowerInvariant())
        );
        Assert.All(steps.Where(step => step.State == KeeperStepState.Done), step => Assert.InRange(step.ElapsedUs, 1, 60_000_000));
        TestContext.Current.SendDiagnosticMessage(
            "{0}",
            string.Join(
                ", ",
                steps.Where(step => step.State == KeeperStepState.Done).Select(step => $"{step.Name} {step.ElapsedUs / 1000.0:0.0} ms")
            )
        );
    }

    [Fact]
    public async Task Start_WhereCgroup2IsMountedAlready_RunsAsElsewhere()
    {
        // As systemd leaves it, which is every Debian that people have.
        await using var keeper = await TestKeeper.StartAsync(before: "mount -t cgroup2 cgroup2 /sys/fs/cgroup");

        Assert.Contains(keeper.Seen, seen => seen is KeeperStep { Name: "container-start", State: KeeperStepState.Done });
    }

    [Fact]
    public async Task Connect_OfASecondServer_GetsAllEventsAgain()
    {
        await using var keeper = await TestKeeper.StartAsync();
        var before = keeper.Seen.Where(seen => seen is not ConsoleLine).ToList();

        await keeper.ConnectAsync();
        await keeper.WaitForAsync<GuestRunning>();

        Assert.Equal(before, keeper.Seen.Where(seen => seen is not ConsoleLine));
        Assert.Equal(keeper.Identity, keeper.Bundle.ReadIdentity());
    }

    [Fact]
    public async Task Stop_OfARunningGuest_EndsItOrderlyAndThenTheKeeper()
    {
        await using var keeper = await TestKeeper.StartAsync();

        Assert.Null(await keeper.AskAsync(id => new StopGuest(id, 30_000)));
        var exited = await keeper.WaitForAsync<KeeperExit>();
        await keeper.WaitForEndAsync();

        Assert.Equal(("guest-exited", "exit code 7"), (exited.Reason, exited.Detail));
        var kept = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(keeper.Bundle.Exit), KeeperMessageContext.Default.KeeperMessage);
        Assert.Equal(exited, kept);
        Assert.False(File.Exists(keeper.Bundle.KeeperSocket));
        Assert.Contains("terminated", await File.ReadAllTextAsync(keeper.Bundle.ConsoleLog));
    }

    [Fact]
    public async Task Stop_OfAGuestThatDoesNotEnd_KillsItAtTheDeadline()
    {
        // An init without a handler for SIGTERM is not ended by it.
        await using var deaf = await TestKeeper.StartAsync(await DeafGuestAsync());
        Assert.Null(await deaf.AskAsync(id => new StopGuest(id, 200)));
        var exited = await deaf.WaitForAsync<KeeperExit>();

        Assert.Equal(("guest-killed", "signal 9"), (exited.Reason, exited.Detail));
    }

    [Fact]
    public async Task Start_OfAnImageWithoutAgent_FailsNamingTheStepAndTheRuntimesWords()
    {
        KeeperRing.Require();
        var broken = Path.GetTempFileName();
        await File.WriteAllTextAsync(broken, "#!/no/such/interpreter\n");
        try
        {
            await using var keeper = await TestKeeper.StartAsync(broken, untilRunning: false);
            var exited = await keeper.WaitForAsync<KeeperExit>();

            Assert.Equal("start-failed", exited.Reason);
            Assert.Contains(keeper.Seen, seen => seen is KeeperStep { State: KeeperStepState.Failed });
        }
        finally
        {
            File.Delete(broken);
        }
    }

    [Fact]
    public async Task IsAlive_OfAnIdentityOfAnotherStartOrBoot_IsFalse()
    {
        await using var keeper = await TestKeeper.StartAsync();

        Assert.True(KeeperLiveness.IsAlive(keeper.Identity));
        Assert.False(KeeperLiveness.IsAlive(keeper.Identity with { StartTicks = keeper.Identity.StartTicks + 1 }));
        Assert.False(KeeperLiveness.IsAlive(keeper.Identity with { BootId = "11111111-1111-1111-1111-111111111111" }));
        Assert.Contains("oriel-keeper", await File.ReadAllTextAsync($"/proc/{keeper.Identity.Pid}/cmdline"));
    }

    [Fact]
    public async Task Console_OfAGuestThatFloods_IsBounded()
    {
        await using var keeper = await TestKeeper.StartAsync();

        await keeper.RunAsync("head -c 6000000 /dev/zero | tr \"\\0\" x | fold -w 99 > /proc/1/fd/1; echo the-end > /proc/1/fd/1");

        var log = keeper.Bundle.ConsoleLog;
        await Eventually.HoldsAsync(
            () => File.ReadAllText(log).Contains("the-end", StringComparison.Ordinal),
            () => "the flood's end is not in console.log",
            KeeperRing.Deadline
        );
        Assert.InRange(new FileInfo(log).Length, 1, 1024 * 1024);
        Assert.InRange(new FileInfo(log + ".1").Length, 1, 1024 * 1024);
        await keeper.ConnectAsync();
        await keeper.WaitForConsoleAsync("the-end");
        Assert.InRange(keeper.Seen.Count(seen => seen is ConsoleLine), 1, 200);
    }

    private static async Task<string> DeafGuestAsync()
    {
        KeeperRing.Require();
        const string Handler = "$SIG{TERM} = sub { print STDOUT \"terminated\\n\"; exit 7 };";
        var script = await File.ReadAllTextAsync(KeeperRing.GuestScript);
        Assert.Contains(Handler, script);
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, script.Replace(Handler, "", StringComparison.Ordinal));
        return path;
    }
}
