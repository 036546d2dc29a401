using Oriel.Desktops.Drivers;
using Oriel.Server.Commands.Doctor;

namespace Oriel.Server.Commands;

/// <summary>Turns <c>--driver</c> into what this host can do, found out by trying.</summary>
internal static class DriverChoice
{
    private const string Auto = "auto", Container = "container", Qemu = "qemu", Firecracker = "firecracker";

    private const string MakeProcessor =
        """printf '{"execute":"qmp_capabilities"}{"execute":"quit"}' | exec qemu-system-x86_64 -M microvm -accel kvm -cpu host -m 64 -display none -nodefaults -no-user-config -S -qmp stdio""";

    /// <summary>The keeper gives up earlier.</summary>
    private static readonly TimeSpan ProbeDeadline = TimeSpan.FromSeconds(10);

    /// <param name="keeper">The oriel-keeper program, which knows its drivers.</param>
    /// <returns>The driver, or why the one that was asked for cannot be had. <c>auto</c> never fails: containers are always left.</returns>
    public static async Task<(DesktopDriver? Driver, string? Problem)> ResolveAsync(string wish, string keeper, CancellationToken cancellationToken)
    {
        switch (wish)
        {
            case Container:
                return (DesktopDriver.Container, null);
            case Qemu:
                return QemuProblem() is { } problem ? (null, $"--driver qemu: {problem}") : (DesktopDriver.Qemu(await ComesUpOnKvmAsync(cancellationToken)), null);
            case Firecracker:
                return await FirecrackerProblemAsync(keeper, cancellationToken) is { } reason ? (null, $"--driver firecracker: {reason}") : (DesktopDriver.Firecracker, null);
            case Auto:
                return (await BestAsync(keeper, cancellationToken), null);
            default:
                return (null, $"--driver must be {Auto}, {Container}, {Qemu} or {Firecracker}.");
        }
    }

    // Emulation is for whoever asks for it: it is ten times slower. KVM is asked first, as most hosts without it need not be asked more.
    private static async Task<DesktopDriver> BestAsync(string keeper, CancellationToken cancellationToken)
    {
        if (await KvmProblemAsync(cancellationToken) is not null)
        {
            return DesktopDriver.Container;
        }

        return await FirecrackerProblemAsync(keeper, cancellationToken) is null ? DesktopDriver.Firecracker
            : QemuProblem() is null && await ComesUpOnKvmAsync(cancellationToken) ? DesktopDriver.Qemu(kvm: true)
            : DesktopDriver.Container;
    }

    /// <summary>
    /// Some hosts that are guests themselves run instructions on KVM and yet take no whole processor: QEMU then ends as soon as it makes one. So it makes
    /// one, which does not run.
    /// </summary>
    private static async Task<bool> ComesUpOnKvmAsync(CancellationToken cancellationToken) =>
        await KvmProblemAsync(cancellationToken) is null && (await HostProgram.RunAsync(ProbeDeadline, cancellationToken, "sh", "-c", MakeProcessor)).Succeeded;

    private static string? QemuProblem()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "qemu-system-x86_64")).FirstOrDefault(File.Exists);
        return path is null ? "qemu-system-x86_64 is not installed (Debian: apt-get install --no-install-recommends qemu-system-x86)." : TunProblem();
    }

    private static async Task<string?> FirecrackerProblemAsync(string keeper, CancellationToken cancellationToken)
    {
        var probe = await HostProgram.RunAsync(ProbeDeadline, cancellationToken, keeper, "probe", "firecracker");
        return probe.Succeeded ? TunProblem() ?? await KvmProblemAsync(cancellationToken) : probe.FirstLine;
    }

    // Open to everyone, as the machine runs as a user of its own.
    private static string? TunProblem()
    {
        var tun = HostChecks.Tun();
        return tun.Outcome == DoctorOutcome.Ok ? null : $"{tun.Seen}: {tun.Mend}.";
    }

    private static async Task<string?> KvmProblemAsync(CancellationToken cancellationToken)
    {
        var kvm = await HostChecks.KvmAsync(cancellationToken);
        return kvm.Outcome == DoctorOutcome.Ok ? null : $"KVM does not work here: {kvm.Seen}.";
    }
}
