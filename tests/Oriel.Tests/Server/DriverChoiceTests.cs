using System.Text.Json.Nodes;
using Oriel.Linux.Kvm;
using Oriel.Server.Commands.Doctor;
using Oriel.Server.Drivers;

namespace Oriel.Tests.Server;

/// <summary>What <c>--driver</c> becomes on this host, whatever it can.</summary>
public sealed class DriverChoiceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("driver-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Resolve_UnknownDriver_NamesThoseThereAre() =>
        Assert.Equal(
            (null, "There is no driver 'xen': take auto, firecracker, qemu or container."),
            await DriverChoice.ResolveAsync("xen", "true", Token)
        );

    [Fact]
    public async Task Resolve_FirecrackerThatCannotBeUsed_IsRefusedWithItsReason()
    {
        var (driver, problem) = await DriverChoice.ResolveAsync("firecracker", Keeper("echo Firecracker 1.9.1 is too old; exit 1"), Token);
        Assert.Null(driver);
        Assert.Equal("--driver firecracker: Firecracker 1.9.1 is too old", problem);
    }

    [Fact]
    public async Task Resolve_FirecrackerWithoutKvm_IsRefusedAndNeverFallsBack()
    {
        Assert.SkipWhen(KvmProbe.Try() is null, "KVM works here.");
        var (driver, problem) = await DriverChoice.ResolveAsync("firecracker", Keeper("echo 1.16.1"), Token);
        Assert.Null(driver);
        Assert.StartsWith("--driver firecracker: ", problem);
    }

    [Fact]
    public async Task Resolve_Auto_NeverFails()
    {
        var (driver, problem) = await DriverChoice.ResolveAsync("auto", Keeper("echo 1.16.1"), Token);
        Assert.Null(problem);
        Assert.Contains(driver!.Name, KvmProbe.Try() is null ? (string[])["firecracker", "qemu", "container"] : ["container"]);
    }

    /// <summary>A host whose KVM runs an instruction, and on which QEMU ends when it makes a processor, gets emulation.</summary>
    [Fact]
    public async Task Resolve_Qemu_TakesKvmOnlyWhereAMachineComesUpOnIt()
    {
        // This test is no oriel that could start itself to look at KVM.
        var seen = KvmProbe.Try();
        var kvm = seen is null ? DoctorFinding.Ok("KVM", "a guest ran") : DoctorFinding.Warn("KVM", seen, "");
        var (driver, problem) = await DriverChoice.ResolveAsync("qemu", new DriverHost("true", Token) { Kvm = _ => Task.FromResult(kvm) });
        Assert.SkipWhen(problem is not null, $"{problem}");
        using var qemu = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(
                "qemu-system-x86_64",
                [
                    "-M",
                    "microvm",
                    "-accel",
                    "kvm",
                    "-cpu",
                    "host",
                    "-m",
                    "64",
                    "-display",
                    "none",
                    "-nodefaults",
                    "-no-user-config",
                    "-S",
                    "-qmp",
                    "stdio",
                ]
            )
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        await qemu.StandardInput.WriteAsync("""{"execute":"qmp_capabilities"}{"execute":"quit"}""");
        await qemu.StandardInput.FlushAsync(Token);
        await qemu.WaitForExitAsync(Token);
        Assert.Equal(qemu.ExitCode == 0 && seen is null ? "kvm" : "tcg", driver!.Accelerator);
    }

    /// <summary>A host on whose KVM a machine with a processor comes up, and a whole kernel hangs before its first word.</summary>
    [Theory]
    [InlineData("echo Linux version 6.1.0", "kvm")]
    [InlineData(":", "tcg")]
    public async Task Resolve_Qemu_TakesKvmOnlyWhereAKernelSpeaksOnIt(string kernel, string accelerator)
    {
        Program("qemu-system-x86_64", $"case $* in *-kernel*) {kernel} ;; esac");
        var (driver, problem) = await DriverChoice.ResolveAsync("qemu", Host(kernel: "/images/vmlinux"));
        Assert.Equal((null, accelerator), (problem, driver!.Accelerator));
    }

    [Fact]
    public async Task Resolve_Auto_LooksForKvmOnce()
    {
        Program("firecracker", "exit 1");
        Program("qemu-system-x86_64", "exit 1");
        var looks = 0;
        var host = Host(() => looks++);
        Assert.Equal("container", (await DriverChoice.ResolveAsync("auto", host)).Driver!.Name);
        Assert.Equal(1, looks);
    }

    [Theory]
    [InlineData(true, true, "firecracker")]
    [InlineData(false, true, "qemu")]
    [InlineData(true, false, "firecracker")]
    [InlineData(false, false, "container")]
    public async Task Resolve_AutoWithKvm_TakesTheFirstThatMakesAMachine(bool firecracker, bool qemu, string name)
    {
        Program("firecracker", firecracker ? "exit 0" : "exit 1");
        Program("qemu-system-x86_64", qemu ? "exec cat >/dev/null" : "exit 1");
        var (driver, problem) = await DriverChoice.ResolveAsync("auto", Host());
        Assert.Null(problem);
        Assert.Equal(name, driver!.Name);
        Assert.Equal(
            name switch
            {
                "qemu" => Path.Combine(_directory, "qemu-system-x86_64"),
                "firecracker" => Path.Combine(_directory, "firecracker"),
                _ => null,
            },
            driver.Vmm
        );
    }

    /// <summary>The stand-in reads its machine as Firecracker would, which ends with 0 at the guest's reset.</summary>
    [Fact]
    public async Task Resolve_Firecracker_IsGivenAMachineWithAnElfKernelToRun()
    {
        var seen = Path.Combine(_directory, "seen");
        Program(
            "firecracker",
            $"[ \"$1 $2\" = \"--no-api --config-file\" ] && cat \"$3\" >{seen}.json && cp \"$(dirname \"$3\")/kernel\" {seen}.elf"
        );
        var (driver, problem) = await DriverChoice.ResolveAsync("firecracker", Host());
        Assert.Equal(("firecracker", null), (driver?.Name, problem));

        var machine = JsonNode.Parse(await File.ReadAllTextAsync(seen + ".json", Token))!;
        Assert.Equal((1, 0), (machine["machine-config"]!["vcpu_count"]!.GetValue<int>(), machine["drives"]!.AsArray().Count));
        Assert.False(
            Directory.Exists(Path.GetDirectoryName(machine["boot-source"]!["kernel_image_path"]!.GetValue<string>())),
            "the trial's files are left"
        );
        var kernel = await File.ReadAllBytesAsync(seen + ".elf", Token);
        Assert.Equal([0x7F, .. "ELF"u8], kernel[..4]);
        var (offset, size) = (BitConverter.ToInt32(kernel, 64 + 8), BitConverter.ToInt32(kernel, 64 + 32));
        Assert.Equal((kernel.Length, BitConverter.ToUInt64(kernel, 24)), (offset + size, BitConverter.ToUInt64(kernel, 64 + 24)));
    }

    [Fact]
    public async Task Resolve_FirecrackerWhoseMachineDoesNotComeUp_IsRefusedWithItsWord()
    {
        Program("firecracker", "echo 'Error: cannot set MSR 0x10a' >&2; exit 1");
        var (driver, problem) = await DriverChoice.ResolveAsync("firecracker", Host());
        Assert.Null(driver);
        Assert.Equal(
            "--driver firecracker: no machine of Firecracker's runs here, although KVM does: Error: cannot set MSR 0x10a",
            problem
        );
    }

    /// <summary>In the words of 1.16.1: its log, and what its program prints at the end.</summary>
    [Theory]
    [InlineData(
        "2026-11-28T10:00:00.000000000 [anonymous-instance:main] Running Firecracker v1.16.1\n"
            + "2026-11-28T10:00:00.000000001 [anonymous-instance:main] RunWithoutApiError error: Failed to build MicroVM from Json: Cannot start microvm: Error creating KVM object: Permission denied (os error 13)\n"
            + "Make sure the user launching the firecracker process is configured on the /dev/kvm file's ACL.\n"
            + "2026-11-28T10:00:00.000000002 [anonymous-instance:main] Firecracker exiting with error. exit_code=1\n"
            + "Error: RunWithoutApiError(BuildMicroVMFromJson(StartMicroVM(Kvm(Kvm(Error(13))))))\n",
        "RunWithoutApiError error: Failed to build MicroVM from Json: Cannot start microvm: Error creating KVM object: Permission denied (os error 13) Make sure the user launching the firecracker process is configured on the /dev/kvm file's ACL."
    )]
    [InlineData(
        "RunWithoutApiError error: Failed to build MicroVM from Json: no kernel\nError: RunWithoutApiError(BuildMicroVMFromJson(NoKernel))\n",
        "RunWithoutApiError error: Failed to build MicroVM from Json: no kernel"
    )]
    [InlineData(
        "Error: RunWithoutApiError(BuildMicroVMFromJson(StartMicroVM(Kvm(Kvm(Error(13))))))\n",
        "Error: RunWithoutApiError(BuildMicroVMFromJson(StartMicroVM(Kvm(Kvm(Error(13))))))"
    )]
    [InlineData("firecracker did not end within 10 s", "firecracker did not end within 10 s")]
    [InlineData("", "")]
    public void WordOf_ATrialThatFailed_IsItsSentenceForPeople(string output, string word) =>
        Assert.Equal(word, FirecrackerTrial.WordOf(new HostProbeResult(1, output)));

    [Theory]
    [InlineData(null, "echo 1.16.1", "Warn", "not installed", "put a release of 1.10 or later")]
    [InlineData("exit 0", "echo 1.16.1", "Ok", "1.16.1; a machine came up", null)]
    [InlineData(
        "exit 0",
        "echo Firecracker 1.9.1 is too old.; exit 1",
        "Warn",
        "Firecracker 1.9.1 is too old.",
        "put a release of 1.10 or later"
    )]
    [InlineData(
        "echo 'Error: cannot set MSR 0x10a'; exit 1",
        "echo 1.16.1",
        "Warn",
        "1.16.1; no machine of Firecracker's runs here, although KVM does: Error: cannot set MSR 0x10a",
        "QEMU or as containers"
    )]
    public async Task Doctor_Firecracker_SaysVersionAndWhetherAMachineCameUp(
        string? program,
        string keeper,
        string outcome,
        string seen,
        string? mend
    )
    {
        if (program is not null)
        {
            Program("firecracker", program);
        }

        var finding = await FirecrackerCheck.ExamineAsync(Host(keeper: keeper));
        Assert.Equal(("Firecracker", outcome, seen), (finding.Name, finding.Outcome.ToString(), finding.Seen));
        Assert.Contains(mend ?? "", finding.Mend ?? "");
    }

    /// <summary>One whose KVM runs a guest's instructions, with the programs of this test alone.</summary>
    private DriverHost Host(Action? look = null, string keeper = "echo 1.16.1", string? kernel = null) =>
        new(Keeper(keeper), Token)
        {
            Kernel = kernel,
            SearchPath = _directory,
            Tun = () => DoctorFinding.Ok("tun", "opens"),
            Kvm = _ =>
            {
                look?.Invoke();
                return Task.FromResult(DoctorFinding.Ok("KVM", "a guest ran"));
            },
        };

    private string Keeper(string script) => Program("keeper", script);

    private string Program(string name, string script)
    {
        var path = Path.Combine(_directory, name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return path;
    }
}
