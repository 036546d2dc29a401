using Oriel.Server.Commands.Doctor;

namespace Oriel.Server.Drivers;

/// <summary>
/// What this host runs virtual machines with. Some hosts that are guests themselves run an instruction on KVM and yet take no whole
/// processor, so that a VMM ends as soon as it makes one: each VMM makes a machine before it is believed.
/// </summary>
/// <param name="keeper">The oriel-keeper program, which knows which Firecracker can be used.</param>
internal sealed class DriverHost(string keeper, CancellationToken cancellationToken)
{
    /// <summary>The program $0 makes a machine with a processor that does not run.</summary>
    private const string MakeProcessor =
        """printf '{"execute":"qmp_capabilities"}{"execute":"quit"}' | exec "$0" -M microvm -accel kvm -cpu host -m 64 -display none -nodefaults -no-user-config -S -qmp stdio""";

    /// <summary>The program $0 boots the kernel $1 without any disk, until it says who it is: hardware does that within a second.</summary>
    private const string BootKernel =
        """timeout 8 "$0" -M microvm -accel kvm -cpu host -m 256 -display none -nodefaults -no-user-config -no-reboot -kernel "$1" -append 'console=ttyS0 panic=-1' -serial stdio </dev/null | grep -q 'Linux version'""";

    /// <summary>The keeper gives up earlier, and a machine of a few instructions ends immediately.</summary>
    private static readonly TimeSpan ProbeDeadline = TimeSpan.FromSeconds(10);

    private Task<DoctorFinding>? _kvm;

    /// <summary>Folders with programs, as PATH has them.</summary>
    public string SearchPath { get; init; } = Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>Of a golden image, to be tried; null where there is none yet.</summary>
    public string? Kernel { get; init; }

    /// <summary>Asked at most once: it starts a process.</summary>
    public Func<CancellationToken, Task<DoctorFinding>> Kvm { get; init; } = HostChecks.KvmAsync;

    public Func<DoctorFinding> Tun { get; init; } = () => HostChecks.Tun();

    /// <summary>Null where it is not installed.</summary>
    public string? QemuProgram => Find("qemu-system-x86_64");

    public bool HasFirecracker => Find("firecracker") is not null;

    /// <summary>As the keeper finds it, which knows whether it can be used.</summary>
    public string FirecrackerProgram => Find("firecracker") ?? "firecracker";

    public string? QemuProblem() =>
        QemuProgram is null
            ? "qemu-system-x86_64 is not installed (Debian: apt-get install --no-install-recommends qemu-system-x86)."
            : TunProblem();

    /// <summary>A machine whose own KVM is emulated may run instructions and make processors, and hang at a whole kernel.</summary>
    public async Task<bool> QemuComesUpOnKvmAsync() =>
        await KvmProblemAsync() is null
        && (await HostProbe.RunAsync(ProbeDeadline, cancellationToken, "sh", "-c", MakeProcessor, QemuProgram!)).Succeeded
        && (
            Kernel is not { } kernel
            || (await HostProbe.RunAsync(ProbeDeadline, cancellationToken, "sh", "-c", BootKernel, QemuProgram!, kernel)).Succeeded
        );

    public async Task<string?> FirecrackerProblemAsync() => (await FirecrackerAsync()).Problem;

    /// <returns>The version that is installed, null where that cannot be used; and why no machine can be had, null where one came
    /// up.</returns>
    public async Task<(string? Version, string? Problem)> FirecrackerAsync()
    {
        var probe = await HostProbe.RunAsync(ProbeDeadline, cancellationToken, keeper, "probe", "firecracker");
        return probe.Succeeded
            ? (probe.FirstLine, TunProblem() ?? await KvmProblemAsync() ?? await FirecrackerMachineProblemAsync())
            : (null, probe.FirstLine);
    }

    public async Task<string?> KvmProblemAsync()
    {
        var kvm = await (_kvm ??= Kvm(cancellationToken));
        return kvm.Outcome == DoctorOutcome.Ok ? null : $"KVM does not work here: {kvm.Seen}.";
    }

    private async Task<string?> FirecrackerMachineProblemAsync()
    {
        var directory = Directory.CreateTempSubdirectory("oriel-firecracker-").FullName;
        try
        {
            var trial = await HostProbe.RunAsync(
                ProbeDeadline,
                cancellationToken,
                FirecrackerProgram,
                "--no-api",
                "--config-file",
                FirecrackerTrial.Write(directory)
            );
            return trial.Succeeded ? null : $"no machine of Firecracker's runs here, although KVM does: {FirecrackerTrial.WordOf(trial)}";
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    // Open to everyone, as the machine runs as a user of its own.
    private string? TunProblem()
    {
        var tun = Tun();
        return tun.Outcome == DoctorOutcome.Ok ? null : $"{tun.Seen}: {tun.Mend}.";
    }

    private string? Find(string program) =>
        SearchPath.Split(':').Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
