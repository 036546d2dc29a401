using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Node;
using Oriel.Linux.Kvm;
using Oriel.Linux.Processes;

namespace Oriel.Server.Commands.Doctor;

/// <summary>Programs, devices, limits and ports.</summary>
internal static class HostChecks
{
    /// <summary>Nobody signs in as it: ./oriel, started as root, drops to it.</summary>
    private const string ServiceUser = "oriel";

    /// <summary>As the keeper's QemuMachine has it.</summary>
    private const string Firmware = "qboot.rom";

    /// <summary>Long enough for a busy host; a nested KVM that hangs in KVM_RUN hangs for good.</summary>
    private static readonly TimeSpan KvmDeadline = TimeSpan.FromSeconds(10);

    /// <param name="proc">The directory that lists the mounts and the group of this process.</param>
    public static DoctorFinding Cgroup(string proc = "/proc/self")
    {
        const string Name = "cgroup v2 delegation";
        var mend = $"without it desktops have no limits, and containers cannot be paused: {CgroupDelegation.Advice(proc)}";
        if (CgroupDelegation.FindRoot(proc) is not { } directory)
        {
            return DoctorFinding.Warn(Name, "no cgroup2 is mounted", mend);
        }

        var controllers = string.Join(' ', CgroupDelegation.ControllersOf(directory, out var missing));
        if (missing.Length > 0)
        {
            return DoctorFinding.Warn(
                Name,
                $"{directory} lacks {string.Join(", ", missing)} ({(controllers.Length == 0 ? "it has no controllers" : $"it has {controllers}")})",
                $"desktops are not limited in these: {CgroupDelegation.Advice(proc)}"
            );
        }

        var probe = Path.Combine(directory, "oriel-doctor");
        try
        {
            Directory.CreateDirectory(probe);
            Directory.Delete(probe);
            return DoctorFinding.Ok(Name, $"{directory}: {controllers}");
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return DoctorFinding.Warn(Name, $"{directory} is not ours to divide", mend);
        }
    }

    /// <summary>First, as a missing one makes other checks fail in words that do not name it.</summary>
    public static DoctorFinding Tools(
        DesktopDriver driver,
        DoctorOutcome missing,
        string? searchPath = null,
        IReadOnlyList<string>? system = null
    )
    {
        var name = $"programs of a desktop ({driver.Name})";
        var words = KeeperPrograms.Problem(driver, searchPath ?? Programs.SearchPath, system)?.Split(": ", 2);
        return words is null
            ? DoctorFinding.Ok(name, "all there")
            : new DoctorFinding(name, missing, words[0], words.ElementAtOrDefault(1));
    }

    public static DoctorFinding Tun(string device = "/dev/net/tun")
    {
        const string Name = "tun";
        try
        {
            using var tun = File.OpenHandle(device, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            return DoctorFinding.Ok(Name, $"{device} opens");
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return DoctorFinding.Warn(Name, e.Message, "only microVMs need it: sudo modprobe tun; sudo chmod 666 /dev/net/tun");
        }
    }

    /// <summary>In a child process, because a broken KVM can hang where only SIGKILL of the process helps.</summary>
    public static async Task<DoctorFinding> KvmAsync(CancellationToken cancellationToken)
    {
        const string Name = "KVM";
        if (!File.Exists("/dev/kvm"))
        {
            return DoctorFinding.Warn(
                Name,
                "there is no /dev/kvm",
                "desktops run as containers. Switch virtualisation on in the firmware, or nested virtualisation at the host above"
            );
        }

        var self = Environment.ProcessPath!;
        var assembly = typeof(HostChecks).Assembly.Location;
        string[] command =
            Path.GetFileNameWithoutExtension(self) == "dotnet"
                ? [self, assembly, "doctor", "--kvm-probe"]
                : [self, "doctor", "--kvm-probe"];
        var probe = await HostProbe.RunAsync(KvmDeadline, cancellationToken, command);
        return probe.Succeeded
            ? DoctorFinding.Ok(Name, "a guest ran")
            : DoctorFinding.Warn(
                Name,
                probe.ExitCode == -1 ? "the probing guest hung" : probe.LastLine,
                KvmMend(probe.LastLine, Environment.UserName)
            );
    }

    /// <summary>What helps against no rights to the device helps against nothing else.</summary>
    internal static string KvmMend(string seen, string user)
    {
        const string Meanwhile = "desktops run as containers";
        return seen.Contains("denied", StringComparison.OrdinalIgnoreCase)
            ? $"{Meanwhile}. sudo usermod -aG kvm {user}, then {(user == ServiceUser ? "start Oriel again" : "sign in again")}"
            : $"{Meanwhile}: this machine's KVM runs no guest (it may be a guest itself, whose host allows no nested virtualisation)";
    }

    /// <summary>QEMU itself says where the firmware is that machines start from.</summary>
    public static async Task<DoctorFinding> QemuAsync(CancellationToken cancellationToken)
    {
        const string Name = "qemu-system-x86_64";
        if (Programs.Problem(Programs.SearchPath, Name) is { } problem)
        {
            return DoctorFinding.Warn(Name, problem.Split(": ")[0], $"only --driver qemu needs it: {problem.Split(": ", 2)[^1]}");
        }

        var version = await HostProbe.RunAsync(KvmDeadline, cancellationToken, Name, "--version");
        var folders = await HostProbe.RunAsync(KvmDeadline, cancellationToken, Name, "-L", "help");
        return version.Succeeded
            ? Qemu(version.FirstLine, folders.Output.Split('\n'))
            : DoctorFinding.Warn(Name, version.LastLine, "only --driver qemu needs it");
    }

    internal static DoctorFinding Qemu(string version, IEnumerable<string> folders) =>
        folders.Select(folder => Path.Combine(folder.Trim(), Firmware)).FirstOrDefault(File.Exists) is { } firmware
            ? DoctorFinding.Ok("qemu-system-x86_64", $"{version}, {firmware}")
            : DoctorFinding.Warn(
                "qemu-system-x86_64",
                $"{version}, without its firmware {Firmware}",
                "machines of --driver qemu do not start without it: sudo apt-get install --reinstall qemu-system-x86 qemu-system-data"
            );

    /// <summary>The child's part of <see cref="KvmAsync"/>.</summary>
    public static int ProbeKvm()
    {
        var problem = KvmProbe.Try();
        Console.WriteLine(problem ?? "a guest ran");
        return problem is null ? 0 : 1;
    }

    public static DoctorFinding Memory()
    {
        const string Name = "memory";
        const double Desktop = 0.7;
        var line = File.ReadLines("/proc/meminfo").First(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        var free = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / (double)(1 << 20);
        var seen = string.Create(
            CultureInfo.InvariantCulture,
            $"{free:0.0} GiB available, enough for about {Math.Floor(free / Desktop):0} idle desktops"
        );
        return free < 1.5 ? DoctorFinding.Warn(Name, seen, "an idle desktop takes about 0.7 GiB") : DoctorFinding.Ok(Name, seen);
    }

    /// <summary>
    /// The kernel counts those of all container desktops together, whatever ids they have; a machine's are its own kernel's.
    /// </summary>
    /// <param name="setting">As the kernel shows it.</param>
    public static DoctorFinding Inotify(string setting = "/proc/sys/fs/inotify/max_user_instances")
    {
        const string Name = "inotify instances";
        const int Desktop = 25; // with Chromium open
        const int Few = 3;
        if (!File.Exists(setting) || !int.TryParse(File.ReadAllText(setting), CultureInfo.InvariantCulture, out var most))
        {
            return DoctorFinding.Warn(
                Name,
                $"there is no {setting}",
                "desktops do not notice changed files: the kernel needs CONFIG_INOTIFY_USER"
            );
        }

        var seen = string.Create(CultureInfo.InvariantCulture, $"{most}, enough for about {most / Desktop} container desktops");
        return most / Desktop < Few
            ? DoctorFinding.Warn(
                Name,
                seen,
                "beyond that a desktop's programs do not notice changed files: sudo sysctl fs.inotify.max_user_instances=1024"
            )
            : DoctorFinding.Ok(Name, $"{seen} (fs.inotify.max_user_instances)");
    }

    public static DoctorFinding Port(string name, int port, bool udp)
    {
        try
        {
            using var socket = udp
                ? new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
                : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return DoctorFinding.Ok(name, $"{port} is free");
        }
        catch (SocketException e)
        {
            return DoctorFinding.Warn(name, $"{port}: {e.Message}", "if that is not Oriel itself: ./oriel up --port N, --media-port N");
        }
    }
}
