using Oriel.Linux.Kvm;
using Oriel.Server.Commands;

namespace Oriel.Tests.Server;

/// <summary>What <c>--driver</c> becomes on this host, whatever it can.</summary>
public sealed class DriverChoiceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("driver-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Resolve_UnknownDriver_NamesThoseThereAre() =>
        Assert.Equal((null, "--driver must be auto, container, qemu or firecracker."), await DriverChoice.ResolveAsync("xen", "true", Token));

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
        var (driver, problem) = await DriverChoice.ResolveAsync("qemu", "true", Token);
        Assert.SkipWhen(problem is not null, $"{problem}");
        using var qemu = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "qemu-system-x86_64", ["-M", "microvm", "-accel", "kvm", "-cpu", "host", "-m", "64", "-display", "none", "-nodefaults", "-no-user-config", "-S", "-qmp", "stdio"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await qemu.StandardInput.WriteAsync("""{"execute":"qmp_capabilities"}{"execute":"quit"}""");
        await qemu.StandardInput.FlushAsync(Token);
        await qemu.WaitForExitAsync(Token);
        Assert.Equal(qemu.ExitCode == 0 && KvmProbe.Try() is null ? "kvm" : "tcg", driver!.Accelerator);
    }

    private string Keeper(string script)
    {
        var path = Path.Combine(_directory, "keeper");
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return path;
    }
}
