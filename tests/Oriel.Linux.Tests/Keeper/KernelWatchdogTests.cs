using Oriel.Desktops.Keepers;
using Oriel.Linux.Tests.Firecracker;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>
/// A kernel that hangs, for real: the keeper, its QEMU driver and QEMU's emulation, with a kernel that stands still before it has said what
/// it should.
/// </summary>
public sealed class KernelWatchdogTests : IDisposable
{
    private const string LastWords = "the last words before it hung";

    /// <summary>What the kernel is given is 5 s times this; QEMU's own start does not count.</summary>
    private const double TimeScale = 0.6;

    private readonly string _image = Directory.CreateTempSubdirectory("oriel-hang-").FullName;

    public KernelWatchdogTests()
    {
        var image = new ImageDirectory(_image);
        Directory.CreateDirectory(image.Disks);
        File.WriteAllBytes(Kernel, TinyKernel.Saying(LastWords + "\r\n"));
        File.WriteAllText(image.Initramfs, "none");
        File.WriteAllBytes(image.RootDisk, new byte[4096]);
        File.SetUnixFileMode(_image, (UnixFileMode)0b111_101_101);
    }

    private string Kernel => new ImageDirectory(_image).Kernel;

    public void Dispose() => Directory.Delete(_image, recursive: true);

    [Fact]
    public async Task Start_KernelThatHangsOnce_IsStartedOnceMoreAndGoesOn()
    {
        await using var keeper = await StartAsync();
        await keeper.WaitForConsoleAsync(LastWords);
        // The same file, so that the machine that is started next, in the same directory, has it.
        await File.WriteAllBytesAsync(
            Kernel,
            TinyKernel.Saying("oriel-init: start 1.25\r\noriel-init: root 2.5\r\n"),
            TestContext.Current.CancellationToken
        );
        var kernel = await DoneAsync(keeper, "kernel");
        Assert.Equal("1.25 s in the guest, at the second start: the first hung for 3 s", kernel.Detail);
        await DoneAsync(keeper, "guest-disks");
    }

    /// <summary>As an emulated one does now and then, when a processor runs code that another has just changed.</summary>
    [Fact]
    public async Task Start_KernelThatPanics_IsStartedOnceMoreAndThenFails()
    {
        await File.WriteAllBytesAsync(
            Kernel,
            TinyKernel.Saying(LastWords + "\r\n", thenPanics: true),
            TestContext.Current.CancellationToken
        );
        await using var keeper = await StartAsync();
        var exited = await keeper.WaitForAsync<KeeperExit>();
        Assert.StartsWith(
            "kernel: the kernel came up in neither of two starts: the first ended with a panic or a reset, the second ended with a panic or a reset\n",
            exited.Detail
        );
        Assert.Equal(2, exited.Detail!.Split('\n').Count(line => line.Contains(LastWords, StringComparison.Ordinal)));
        await keeper.WaitForEndAsync();
    }

    [Fact]
    public async Task Start_KernelThatHangsTwice_FailsInTheStepKernelWithItsLastWords()
    {
        await using var keeper = await StartAsync();
        var exited = await keeper.WaitForAsync<KeeperExit>();
        Assert.Equal("start-failed", exited.Reason);
        Assert.StartsWith(
            "kernel: the kernel came up in neither of two starts: the first hung for 3 s, the second hung for 3 s\n",
            exited.Detail
        );
        Assert.Equal(2, exited.Detail!.Split('\n').Count(line => line.Contains(LastWords, StringComparison.Ordinal)));
        Assert.Equal(KeeperStepState.Failed, keeper.Seen.OfType<KeeperStep>().Last(seen => seen.Name == "kernel").State);
        await keeper.WaitForEndAsync();
    }

    /// <summary>
    /// The desktop's keeper and its VMM, at each state that a machine's start goes through: what is not dead is taken along, and the reason
    /// names the step.
    /// </summary>
    [Theory]
    [InlineData("kernel", LastWords + "\r\n", "QEMU ended with code 137")]
    [InlineData("guest-disks", "oriel-init: start 1.25\r\n", "QEMU ended with code 137")]
    [InlineData("agent-link", "oriel-init: start 1.25\r\noriel-init: root 2.5\r\n", "guest-killed, signal 9")]
    public async Task Kill9_OfVmmOrKeeperAtEachStateOfAStart_LeavesNothing(string state, string says, string why)
    {
        await File.WriteAllBytesAsync(Kernel, TinyKernel.Saying(says), TestContext.Current.CancellationToken);
        foreach (var isVmm in (bool[])[true, false])
        {
            await using var keeper = await StartAsync(timeScale: 10);
            await keeper.WaitForStepAsync(state);
            await keeper.WaitForConsoleAsync(says.Split("\r\n")[0]);
            var family = ProcessFamily.Of(keeper.Identity.Pid);
            if (isVmm)
            {
                var vmm = family.Single(member =>
                    Path.GetFileName(File.ReadAllText($"/proc/{member.Pid}/cmdline").Split('\0')[0]) == "qemu-system-x86_64"
                );
                await keeper.InNamespacesAsync($"kill -9 {vmm.Pid}");
                var exited = await keeper.WaitForAsync<KeeperExit>();
                Assert.StartsWith($"{state}: ", exited.Detail);
                Assert.Contains(why, exited.Detail);
            }
            else
            {
                KeeperLiveness.Kill(keeper.Identity);
            }

            await Eventually.HoldsAsync(
                () => !family.Any(member => member.IsThere),
                () => $"there are {string.Join(", ", family.Where(member => member.IsThere))}",
                KeeperRing.Deadline
            );
            Assert.DoesNotContain(
                keeper.Bundle.Path,
                await File.ReadAllTextAsync("/proc/self/mountinfo", TestContext.Current.CancellationToken)
            );
        }
    }

    private Task<TestKeeper> StartAsync(double timeScale = TimeScale)
    {
        TinyGuestRing.RequireTap();
        Assert.SkipWhen(Programs.Find("qemu-system-x86_64") is null, "There is no qemu-system-x86_64 on the PATH.");
        return TestKeeper.StartAsync(
            untilRunning: false,
            limits: new KeeperLimits(64L << 20, 1, 0, null, DiskBytes: 64L << 20),
            change: spec => spec with { Driver = "qemu", Accelerator = "tcg", TimeScale = timeScale, ImagePath = _image }
        );
    }

    private static async Task<KeeperStep> DoneAsync(TestKeeper keeper, string step)
    {
        while (true)
        {
            var told = await keeper.WaitForStepAsync(step);
            Assert.NotEqual(KeeperStepState.Failed, told.State);
            if (told.State == KeeperStepState.Done)
            {
                return told;
            }
        }
    }
}
