using Oriel.Desktops.Drivers;
using Oriel.Server.Commands.Doctor;

namespace Oriel.Server.Commands;

/// <summary>Turns <c>--driver</c> into what this host can do, found out by trying.</summary>
internal static class DriverChoice
{
    private const string Auto = "auto", Container = "container", Qemu = "qemu";

    /// <returns>The driver, or why the one that was asked for cannot be had. <c>auto</c> never fails: containers are always left.</returns>
    public static async Task<(DesktopDriver? Driver, string? Problem)> ResolveAsync(string wish, CancellationToken cancellationToken)
    {
        switch (wish)
        {
            case Container:
                return (DesktopDriver.Container, null);
            case Qemu:
                return QemuProblem() is { } problem ? (null, $"--driver qemu: {problem}") : (DesktopDriver.Qemu(await HasKvmAsync(cancellationToken)), null);
            case Auto:
                // Emulation is for whoever asks for it: it is ten times slower.
                return (QemuProblem() is null && await HasKvmAsync(cancellationToken) ? DesktopDriver.Qemu(kvm: true) : DesktopDriver.Container, null);
            default:
                return (null, $"--driver must be {Auto}, {Container} or {Qemu}.");
        }
    }

    private static string? QemuProblem()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "qemu-system-x86_64")).FirstOrDefault(File.Exists);
        if (path is null)
        {
            return "qemu-system-x86_64 is not installed (Debian: apt-get install --no-install-recommends qemu-system-x86).";
        }

        // Open to everyone, as the machine runs as a user of its own.
        var tun = HostChecks.Tun();
        return tun.Outcome == DoctorOutcome.Ok ? null : $"{tun.Seen}: {tun.Mend}.";
    }

    private static async Task<bool> HasKvmAsync(CancellationToken cancellationToken) => (await HostChecks.KvmAsync(cancellationToken)).Outcome == DoctorOutcome.Ok;
}
