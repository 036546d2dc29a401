using System.Text;
using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Drivers.Vm;

namespace Oriel.Tests.Firecracker;

/// <summary>What surrounds the VMM's process: its command line, its output, its end.</summary>
public sealed class MachineTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("fc").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void KernelArguments_OfProduction_HaveNoSerialPort()
    {
        var production = KernelArguments.Compose("oriel_root=vda", serial: false).Split(' ');
        Assert.Contains("8250.nr_uarts=0", production);
        Assert.DoesNotContain(production, word => word.StartsWith("console=", StringComparison.Ordinal));
        Assert.Contains("reboot=k", production);
        Assert.Contains("oriel_end=reboot", production);
        // The kernel takes the last of several.
        Assert.StartsWith("8250.nr_uarts=1 oriel_root=vda ", KernelArguments.Compose("8250.nr_uarts=1 oriel_root=vda", serial: false));
        Assert.EndsWith(" 8250.nr_uarts=0", KernelArguments.Compose("8250.nr_uarts=1 oriel_root=vda", serial: false));
        var looking = KernelArguments.Compose("", serial: true).Split(' ');
        Assert.Contains("console=ttyS0", looking);
        Assert.Equal("8250.nr_uarts=1", looking.Last(word => word.StartsWith("8250.", StringComparison.Ordinal)));
    }

    /// <summary>
    /// The guest's keyboard has no interrupt without its PNP device, and the VMM can ask a guest to end by its keys alone.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void KernelArguments_OfAnyMachine_LeaveTheKeyboardItsInterrupt(bool serial) =>
        Assert.DoesNotContain("i8042.nopnp", KernelArguments.Compose(BootArguments.Common, serial).Split(' '));

    [Theory]
    [InlineData(0, false, "guest-exited", "ended or rebooted")]
    [InlineData(1, false, "guest-exited", "the VMM failed")]
    [InlineData(148, false, "guest-exited", "system-call filter")]
    [InlineData(152, false, "guest-exited", "refused its configuration")]
    [InlineData(137, false, "guest-killed", "signal 9")]
    [InlineData(137, true, "oom", "want of memory")]
    [InlineData(139, true, "guest-killed", "signal 11")]
    [InlineData(149, true, "guest-exited", "bus error")]
    [InlineData(157, true, "guest-exited", "ended at a signal")]
    [InlineData(158, false, "guest-killed", "signal 30")]
    [InlineData(192, false, "guest-killed", "signal 64")]
    [InlineData(193, false, "guest-exited", "exit code 193")]
    [InlineData(77, false, "guest-exited", "exit code 77")]
    public void Exit_OfAVmm_IsJudgedByItsCode(int code, bool outOfMemory, string reason, string detail)
    {
        var exit = FirecrackerExit.Judge(code, outOfMemory);
        Assert.Equal(reason, exit.Reason);
        Assert.Contains(detail, exit.Detail);
    }

    [Theory]
    [InlineData(0, "the guest ended or rebooted")]
    [InlineData(137, "signal 9")]
    [InlineData(148, "the VMM was ended by its own system-call filter (exit code 148); its last words: a bad syscall (44)")]
    [InlineData(134, "signal 6; its last words: a bad syscall (44)")]
    public void Exit_OfAVmmWithLastWords_TellsThemWhereItHadASayInIt(int code, string detail) =>
        Assert.Equal(detail, FirecrackerExit.Judge(code, outOfMemory: false, "a bad syscall (44)").Detail);

    [Theory]
    [InlineData(
        "2026-11-28T10:00:00.123456789 [d-abcdefghij:fc_api:ERROR] Shutting down VM after intercepting a bad syscall (44).",
        "Shutting down VM after intercepting a bad syscall (44)."
    )]
    [InlineData("2026-11-28T10:00:00.123456789 [anonymous-instance:main] Firecracker exiting with error. exit_code=1", "before")]
    [InlineData("Error: RunWithApi(FailedToBindSocket)", "Error: RunWithApi(FailedToBindSocket)")]
    [InlineData("  ", "before")]
    public void Words_OfAVmm_AreTheLastThatSayAnything(string line, string last)
    {
        var words = new VmmWords();
        Assert.Null(words.Last);
        words.HearConsole("before");
        words.HearConsole(line);
        Assert.Equal(last, words.Last);
        words.HearLog("logged");
        words.HearConsole("printed later");
        Assert.Equal("logged", words.Last);
    }

    [Fact]
    public async Task Output_OfAVmmThatTalksWithoutEnd_IsKeptWithinBoundsToTheLastWord()
    {
        var log = Path.Combine(_directory, "kept.log");
        var words = new VmmWords();
        await using (var output = new VmmOutput(_directory, log, Path.Combine(_directory, "metrics.json")))
        {
            output.LineLogged += words.HearLog;
            await using var pipe = Open(MachineFiles.Log);
            var line = Encoding.ASCII.GetBytes(new string('x', 1023) + "\n");
            for (var i = 0; i < 1024; i++)
            {
                await pipe.WriteAsync(line, TestContext.Current.CancellationToken);
            }

            await pipe.WriteAsync("the last word\n"u8.ToArray(), TestContext.Current.CancellationToken);
        }

        Assert.Equal("the last word", words.Last);
        Assert.EndsWith("x\nthe last word\n", string.Concat(File.ReadAllText(log + ".1"), File.ReadAllText(log)));
        Assert.InRange(new FileInfo(log).Length, 1, VmmOutput.MaxLogBytes);
        Assert.InRange(new FileInfo(log + ".1").Length, 1, VmmOutput.MaxLogBytes);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(log));
    }

    [Fact]
    public async Task Output_Metrics_AreTheLastWholeLine()
    {
        var metrics = Path.Combine(_directory, "metrics.json");
        await using (new VmmOutput(_directory, Path.Combine(_directory, "log"), metrics))
        {
            await using var pipe = Open(MachineFiles.Metrics);
            await pipe.WriteAsync(
                Encoding.ASCII.GetBytes(
                    "{\"first\":1}\n{\"second\":2}\n" + new string('y', 2 * VmmOutput.MaxMetricsBytes) + "\n\n{\"unfinished\":"
                ),
                TestContext.Current.CancellationToken
            );
        }

        Assert.Equal("{\"second\":2}", await File.ReadAllTextAsync(metrics, TestContext.Current.CancellationToken));
    }

    // As the VMM opens it.
    private FileStream Open(string name) => new(Path.Combine(_directory, name), FileMode.Open, FileAccess.ReadWrite);
}
