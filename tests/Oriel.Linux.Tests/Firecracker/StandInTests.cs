using Oriel.Linux.Tests.Keeper;
using Oriel.Protocol.Keeper;

namespace Oriel.Linux.Tests.Firecracker;

/// <summary>
/// The keeper with its Firecracker driver and firecracker.pl in the VMM's place: everything up to the guest itself, without KVM. The real
/// namespaces, tap, disks, pipes and user; the stand-in says what it could do.
/// </summary>
public sealed class StandInTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-fc-").FullName;

    public StandInTests()
    {
        foreach (var disk in (string[])["vmlinux", "initramfs", "root.erofs"])
        {
            Directory.CreateDirectory(Path.Combine(_directory, "image/disks"));
            File.WriteAllText(Path.Combine(_directory, "image/disks", disk), disk);
        }

        // A link would not do: the keeper's /tmp is this one, but the program must be found by its name.
        var program = Path.Combine(_directory, "firecracker");
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Firecracker", "firecracker.pl"), program);
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Start_OfAMachine_GivesTheVmmItsFilesAndItsTapAndNoPower()
    {
        await using var keeper = await StartAsync("VMM_EXIT=148");
        var exited = await keeper.WaitForAsync("exited");

        Assert.Equal("start-failed", exited.Name);
        Assert.Contains("agent-link: the guest ended before its agent answered: guest-exited, the VMM was ended by its own system-call filter", exited.Detail);
        var done = keeper.Seen.Where(seen => seen is { Type: "step", State: "done" }).ToDictionary(seen => seen.Name!, seen => seen.Detail);
        Assert.Equal(["namespaces", "network", "scratch", "vm-start", "vm-boot"], done.Keys);
        Assert.StartsWith("Firecracker 1.16.1", done["vm-start"]);
        var console = await File.ReadAllLinesAsync(Path.Combine(keeper.Bundle, BundleLayout.ConsoleLog), TestContext.Current.CancellationToken);
        string[] said =
        [
            $"named {TestKeeper.DesktopId}", "status Uid 64000", "status CapEff 0000000000000000", "status CapPrm 0000000000000000", "status CapBnd 0000000000000000",
            "status NoNewPrivs 1", "opened oriel0",
        ];
        Assert.Empty(said.Except(console));
        Assert.DoesNotContain(console, line => line.StartsWith("writable", StringComparison.Ordinal));
        Assert.Contains(console, line => line.StartsWith("asked PUT /machine-config {\"vcpu_count\":1,\"mem_size_mib\":64,", StringComparison.Ordinal));
        Assert.Contains(console, line => line.StartsWith("asked PUT /boot-source", StringComparison.Ordinal) && line.Contains("8250.nr_uarts=0\"", StringComparison.Ordinal));
        Assert.Equal("the stand-in's log\n", await File.ReadAllTextAsync(Path.Combine(keeper.Bundle, BundleLayout.VmmLog), TestContext.Current.CancellationToken));
        Assert.Equal("{\"the stand-in\":1}", await File.ReadAllTextAsync(Path.Combine(keeper.Bundle, BundleLayout.VmmMetrics), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("VMM_FAULT=/boot-source", "vm-boot: Firecracker, PUT /boot-source: refused as told (status 400)")]
    [InlineData("VMM_VERSION=1.9.1", "vm-start: Firecracker 1.9.1 is too old")]
    public async Task Start_RefusedByTheVmm_FailsWithTheStepAndItsWord(string environment, string why)
    {
        await using var keeper = await StartAsync(environment);
        var exited = await keeper.WaitForAsync("exited");
        Assert.Equal("start-failed", exited.Name);
        Assert.StartsWith(why, exited.Detail);
        await keeper.WaitForEndAsync();
    }

    [Fact]
    public async Task Start_WithoutFirecracker_SaysWhatToInstall()
    {
        File.Delete(Path.Combine(_directory, "firecracker"));
        Assert.SkipWhen(Programs.Find("firecracker") is not null, "There is a real firecracker on the PATH.");
        await using var keeper = await StartAsync("");
        Assert.Contains("install Firecracker 1.10.0 or later", (await keeper.WaitForAsync("exited")).Detail);
    }

    private Task<TestKeeper> StartAsync(string environment)
    {
        TinyGuestRing.RequireTap();
        return TestKeeper.StartAsync(
            untilRunning: false,
            limits: new KeeperLimits(64L << 20, 1, 0, null),
            change: spec => spec with { Driver = "firecracker", ImagePath = Path.Combine(_directory, "image") },
            environment: $"PATH={_directory}:$PATH {environment}");
    }
}
