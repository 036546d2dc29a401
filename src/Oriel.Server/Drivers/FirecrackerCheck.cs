using Oriel.Server.Commands.Doctor;

namespace Oriel.Server.Drivers;

/// <summary>Whether Firecracker can be had, found out as the server does that chooses its driver.</summary>
internal static class FirecrackerCheck
{
    private const string Name = "Firecracker";

    public static Task<DoctorFinding> ExamineAsync(CancellationToken cancellationToken) =>
        ExamineAsync(new DriverHost(Path.Combine(AppContext.BaseDirectory, "oriel-keeper"), cancellationToken));

    internal static async Task<DoctorFinding> ExamineAsync(DriverHost host)
    {
        const string Release =
            "for microVMs by Firecracker put a release of 1.10 or later, below 2, on the PATH; without it they run in QEMU, or desktops as containers";
        if (!host.HasFirecracker)
        {
            return DoctorFinding.Warn(Name, "not installed", Release);
        }

        var (version, problem) = await host.FirecrackerAsync();
        return (version, problem) switch
        {
            (not null, null) => DoctorFinding.Ok(Name, $"{version}; a machine came up"),
            (null, _) => DoctorFinding.Warn(Name, problem ?? "it reported no version", Release),
            _ => DoctorFinding.Warn(
                Name,
                $"{version}; {problem}",
                "desktops run in QEMU or as containers; what KVM and tun lack is in their rows"
            ),
        };
    }
}
