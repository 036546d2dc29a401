using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Drivers;
using Oriel.Desktops.Keepers;
using Oriel.Images;
using Oriel.Linux.Kvm;
using Oriel.Linux.Processes;

namespace Oriel.Server.Commands.Doctor;

/// <summary>Devices, limits, room and what is in the store.</summary>
internal static class HostChecks
{
    /// <summary>Long enough for a busy host; a nested KVM that hangs in KVM_RUN hangs for good.</summary>
    private static readonly TimeSpan KvmDeadline = TimeSpan.FromSeconds(10);

    /// <param name="proc">Where the mounts and the group of this process are told.</param>
    public static DoctorFinding Cgroup(string proc = "/proc/self")
    {
        const string Name = "cgroup v2 delegation";
        const string Mend = "without it desktops have no memory and CPU limits. Run Oriel as a systemd service with Delegate=yes (as a user: systemd-run --user --scope -p Delegate=yes ./oriel up)";
        if (CgroupDelegation.FindRoot(proc) is not { } directory)
        {
            return DoctorFinding.Warn(Name, "no cgroup2 is mounted", Mend);
        }

        var controllers = string.Join(' ', CgroupDelegation.ControllersOf(directory, out var missing));
        if (missing.Length > 0)
        {
            return DoctorFinding.Warn(Name, $"{directory} lacks {string.Join(", ", missing)} ({(controllers.Length == 0 ? "it has no controllers" : $"it has {controllers}")})", Mend);
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
            return DoctorFinding.Warn(Name, $"{directory} is not ours to divide", Mend);
        }
    }

    /// <summary>First, as a missing one makes other checks fail in words that do not name it.</summary>
    public static DoctorFinding Tools(DesktopDriver driver, DoctorOutcome missing, string? searchPath = null, IReadOnlyList<string>? system = null)
    {
        var name = $"programs of a desktop ({driver.Name})";
        var words = KeeperPrograms.Problem(driver, searchPath ?? Programs.SearchPath, system)?.Split(": ", 2);
        return words is null ? DoctorFinding.Ok(name, "all there") : new DoctorFinding(name, missing, words[0], words.ElementAtOrDefault(1));
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
            return DoctorFinding.Warn(Name, "there is no /dev/kvm", "desktops run as containers. Switch virtualisation on in the firmware, or nested virtualisation at the host above");
        }

        var self = Environment.ProcessPath!;
        var assembly = typeof(HostChecks).Assembly.Location;
        string[] command = Path.GetFileNameWithoutExtension(self) == "dotnet" ? [self, assembly, "doctor", "--kvm-probe"] : [self, "doctor", "--kvm-probe"];
        var probe = await HostProgram.RunAsync(KvmDeadline, cancellationToken, command);
        return probe.Succeeded
            ? DoctorFinding.Ok(Name, "a guest ran")
            : DoctorFinding.Warn(Name, probe.ExitCode == -1 ? "the probing guest hung" : probe.LastLine,
                $"desktops run as containers. If access was denied: sudo usermod -aG kvm {Environment.UserName}, then sign in again");
    }

    /// <summary>The child's part of <see cref="KvmAsync"/>.</summary>
    public static int ProbeKvm()
    {
        var problem = KvmProbe.Try();
        Console.WriteLine(problem ?? "a guest ran");
        return problem is null ? 0 : 1;
    }

    public static DoctorFinding Disk(string data) => Disk(data, new DriveInfo(data).AvailableFreeSpace);

    /// <param name="free">Bytes.</param>
    internal static DoctorFinding Disk(string data, long free)
    {
        const string Name = "disk";
        const long Least = 2L << 30;
        const long Comfortable = 8L << 30;
        var seen = string.Create(CultureInfo.InvariantCulture, $"{free / (double)(1 << 30):0.0} GiB free at {data}");
        const string Mend = "a golden image takes 1 GiB (5 GiB while it is built), a desktop what it writes: make room or take --data elsewhere";
        return free < Least ? DoctorFinding.Fail(Name, seen, Mend) : free < Comfortable ? DoctorFinding.Warn(Name, seen, Mend) : DoctorFinding.Ok(Name, seen);
    }

    public static DoctorFinding Memory()
    {
        const string Name = "memory";
        const double Desktop = 0.7;
        var line = File.ReadLines("/proc/meminfo").First(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        var free = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / (double)(1 << 20);
        var seen = string.Create(CultureInfo.InvariantCulture, $"{free:0.0} GiB available, enough for about {Math.Floor(free / Desktop):0} idle desktops");
        return free < 1.5 ? DoctorFinding.Warn(Name, seen, "an idle desktop takes about 0.7 GiB") : DoctorFinding.Ok(Name, seen);
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

    public static DoctorFinding Image(string data)
    {
        const string Name = "golden image";
        var store = new ImageStore(DataDirectory.Images(data));
        var images = store.List();
        if (images.FirstOrDefault(store.IsUsable) is { } image)
        {
            return DoctorFinding.Ok(Name, $"{image.Name} {image.Digest[..19]} of {image.CreatedAt:yyyy-MM-dd}, {image.Packages.Count} packages");
        }

        return images is [var first, ..]
            ? DoctorFinding.Fail(Name, first.BootTest is { } test ? $"failed its boot test: {test.Reason}" : "it has had no boot test", "./oriel image build images/desktop")
            : DoctorFinding.Warn(Name, "none yet", "./oriel up builds it");
    }

    public static DoctorFinding Fonts(string data)
    {
        const string Name = "fonts of the desktop";
        var store = new ImageStore(DataDirectory.Images(data));
        if (store.List().FirstOrDefault(store.IsUsable) is not { } image)
        {
            return DoctorFinding.Warn(Name, "no image to look into", "./oriel up builds it (the host's own fonts do not matter)");
        }

        var names = image.Packages.Select(package => package.Name).ToHashSet(StringComparer.Ordinal);
        string[] missing = [.. new[] { "fonts-dejavu-core", "fonts-noto-cjk", "fonts-noto-color-emoji" }.Where(font => !names.Contains(font))];
        return missing.Length == 0
            ? DoctorFinding.Ok(Name, "Latin, Chinese, Japanese, Korean, emoji")
            : DoctorFinding.Warn(Name, $"without {string.Join(", ", missing)}", "add them to packages.txt of the recipe and build it again");
    }
}
