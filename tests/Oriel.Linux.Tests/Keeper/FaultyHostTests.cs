using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>
/// A host on which a tool of the creation is missing, fails, or ends without an error and without having done anything, or whose disk is
/// full: the real keeper fails in the step that needed it, says why, and leaves nothing running.
/// </summary>
public sealed class FaultyHostTests : IDisposable
{
    private readonly StandInMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData("container", "ip", "network", "iproute2")]
    [InlineData("container", "nft", "network", "nftables")]
    [InlineData("container", "nsenter", "network", "util-linux")]
    [InlineData("container", "crun", "container-create", "crun")]
    [InlineData("firecracker", "mke2fs", "scratch", "e2fsprogs")]
    [InlineData("firecracker", "setpriv", "vm-start", "util-linux")]
    [InlineData("qemu", "setpriv", "vm-start", "util-linux")]
    [InlineData("qemu", "unshare", "vm-start", "util-linux")]
    [InlineData("qemu", "qemu-system-x86_64", "vm-start", "qemu-system-x86")]
    public async Task Start_ToolThatIsMissing_FailsInItsStepAndSaysWhatToInstall(string driver, string tool, string step, string package)
    {
        _machine.Take(tool);
        // What is in /usr/sbin and not in the PATH is installed.
        var exited = await FailAsync(
            driver,
            step,
            $"mkdir \"$2.sbin\" && mount --bind /usr/sbin \"$2.sbin\" && mount -t tmpfs tmpfs /usr/sbin && ln -s \"$2.sbin\"/* /usr/sbin && rm -f /usr/sbin/{tool}"
        );
        Assert.Contains($"{tool} is not installed: sudo apt-get install {package}", exited.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("container", "ip", "network")]
    [InlineData("container", "nft", "network")]
    [InlineData("container", "nsenter", "network")]
    [InlineData("container", "crun", "container-create")]
    [InlineData("firecracker", "mke2fs", "scratch")]
    [InlineData("firecracker", "setpriv", "vm-start")]
    [InlineData("firecracker", "firecracker", "vm-start")]
    [InlineData("qemu", "qemu-system-x86_64", "vm-start")]
    public async Task Start_ToolThatFails_FailsInItsStepWithTheToolsWords(string driver, string tool, string step)
    {
        _machine.Put(tool, "#!/bin/sh\necho as told >&2\nexit 3\n");
        var exited = await FailAsync(driver, step);
        if (tool != "firecracker")
        {
            // Whose words go to keeper.log: it is asked for its version first.
            Assert.Contains("as told", exited.Detail, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("container", "ip", "network")]
    [InlineData("container", "nft", "network")]
    [InlineData("container", "nsenter", "network")]
    [InlineData("container", "crun", "container-create")]
    [InlineData("firecracker", "ip", "network")]
    [InlineData("firecracker", "nft", "network")]
    [InlineData("firecracker", "mke2fs", "scratch")]
    [InlineData("firecracker", "setpriv", "vm-start")]
    [InlineData("firecracker", "firecracker", "vm-start")]
    [InlineData("qemu", "qemu-system-x86_64", "vm-start")]
    public async Task Start_ToolThatDoesNothingAndTellsNoError_FailsInItsStep(string driver, string tool, string step)
    {
        _machine.Put(tool, "#!/bin/sh\nexec cat >/dev/null\n");
        await FailAsync(driver, step);
    }

    /// <summary>The desktop's own directory on a disk that is full from the start, but for the keeper's socket and identity.</summary>
    [Theory]
    [InlineData("container", "mount -t tmpfs -o nr_inodes=1 tmpfs scratch", "namespaces")]
    [InlineData("container", "mount -t tmpfs -o nr_inodes=2 tmpfs scratch", "scratch")]
    [InlineData("firecracker", "mount -t tmpfs -o nr_inodes=1 tmpfs scratch", "scratch")]
    [InlineData("firecracker", "mount -t tmpfs -o nr_inodes=2 tmpfs scratch", "scratch")]
    [InlineData("firecracker", "mount -t tmpfs -o size=4k tmpfs scratch", "scratch")]
    public async Task Start_DiskThatIsFull_FailsInItsStepAndSaysSo(string driver, string before, string step)
    {
        await using var keeper = await _machine.StartAsync(driver, $"(cd \"$2\" && mkdir scratch && {before})");
        var exited = await EndAsync(keeper, step);
        Assert.Contains("No space left on device", exited.Detail, StringComparison.Ordinal);
    }

    /// <summary>Each step of the start, killed when it begins.</summary>
    [Theory]
    [InlineData("container", "namespaces")]
    [InlineData("container", "network")]
    [InlineData("container", "scratch")]
    [InlineData("container", "container-create")]
    [InlineData("container", "container-start")]
    [InlineData("container", "agent-link")]
    [InlineData("firecracker", "network")]
    [InlineData("firecracker", "scratch")]
    [InlineData("firecracker", "vm-start")]
    [InlineData("firecracker", "vm-boot")]
    public async Task Kill9_OfTheKeeperInEachStep_LeavesNothingButItsDirectory(string driver, string step)
    {
        // One that stays: what ends by itself may be gone before it is looked at.
        await using var keeper = await _machine.StartAsync(driver, environment: "VMM_STAYS=1");
        await keeper.WaitForStepAsync(step);
        var family = ProcessFamily.Of(keeper.Identity.Pid);
        Oriel.Desktops.Keepers.KeeperLiveness.Kill(keeper.Identity);

        await Eventually.HoldsAsync(
            () => !family.Any(member => member.IsThere),
            () => $"there are {string.Join(", ", family.Where(member => member.IsThere))}",
            KeeperRing.Deadline
        );
        Assert.DoesNotContain(
            keeper.Bundle.Path,
            await File.ReadAllTextAsync("/proc/self/mountinfo", TestContext.Current.CancellationToken)
        );
        await Oriel.Desktops.Keepers.BundleRemover.RemoveAsync(keeper.Bundle, TestContext.Current.CancellationToken);
        Assert.False(keeper.Bundle.Exists);
    }

    private async Task<KeeperExit> FailAsync(string driver, string step, string before = "true")
    {
        await using var keeper = await _machine.StartAsync(driver, before);
        return await EndAsync(keeper, step);
    }

    private static async Task<KeeperExit> EndAsync(TestKeeper keeper, string step)
    {
        var exited = await keeper.WaitForAsync<KeeperExit>();
        var failed = keeper.Seen.OfType<KeeperStep>().Where(seen => seen.State == KeeperStepState.Failed).ToList();
        Assert.True(failed.Count == 1 && failed[0].Name == step, $"failed: {string.Join("; ", failed)}; {exited.Detail}");
        Assert.Equal("start-failed", exited.Reason);
        Assert.StartsWith($"{step}: ", exited.Detail);
        Assert.DoesNotContain(keeper.Seen, seen => seen is GuestRunning);
        TestContext.Current.SendDiagnosticMessage("{0}", exited.Detail!);
        await keeper.WaitForEndAsync();
        return exited;
    }
}
