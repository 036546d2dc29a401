using System.Globalization;
using Oriel.Linux.Processes;

namespace Oriel.Server.Commands.Doctor;

/// <summary>What a keeper needs of the kernel, each tried in a user namespace as the keeper will.</summary>
internal static class NamespaceChecks
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    /// <param name="settings">Where the kernel's settings are.</param>
    /// <param name="probe">What makes a namespace; default: unshare.</param>
    public static async Task<DoctorFinding> UserNamespacesAsync(
        CancellationToken cancellationToken,
        string settings = "/proc/sys",
        params string[] probe
    )
    {
        const string Name = "user namespaces";
        var tried = await HostProbe.RunAsync(
            Deadline,
            cancellationToken,
            probe.Length > 0 ? probe : ["unshare", "--map-root-user", "id", "-u"]
        );
        if (tried.Succeeded)
        {
            return DoctorFinding.Ok(Name, "an ordinary user can make one");
        }

        var mend =
            ReadSetting(settings, "kernel/unprivileged_userns_clone") == "0"
                ? "sudo sysctl -w kernel.unprivileged_userns_clone=1 (and in /etc/sysctl.d)"
            : ReadSetting(settings, "kernel/apparmor_restrict_unprivileged_userns") == "1"
                ? "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and in /etc/sysctl.d)"
            : ReadSetting(settings, "user/max_user_namespaces") == "0"
                ? "sudo sysctl -w user.max_user_namespaces=15000 (and in /etc/sysctl.d)"
            : "the kernel needs CONFIG_USER_NS; inside a container its seccomp profile must allow unshare";
        return DoctorFinding.Fail(Name, tried.LastLine, mend);
    }

    public static async Task<DoctorFinding> SubordinateIdsAsync(CancellationToken cancellationToken)
    {
        var tried = await HostProbe.RunAsync(
            Deadline,
            cancellationToken,
            "unshare",
            "--map-root-user",
            "--map-auto",
            "cat",
            "/proc/self/uid_map"
        );
        var number = File.ReadLines("/proc/self/status").First(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1];
        return JudgeIds(tried, Environment.UserName, number, "/etc");
    }

    /// <param name="tried">With the namespace's uid_map: first id inside, first outside, count.</param>
    /// <param name="etc">Where subuid and subgid are.</param>
    internal static DoctorFinding JudgeIds(HostProbeResult tried, string user, string? userNumber, string etc)
    {
        const string Name = "subordinate ids";
        var command = SubordinateIds.Command(user, userNumber, etc);
        if (tried.Succeeded)
        {
            var ids = tried
                .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1], CultureInfo.InvariantCulture));
            var seen = $"{ids} of the {SubordinateIds.Needed} that a guest's users need: {user}'s own, and {ids - 1} of /etc/subuid";
            return ids >= SubordinateIds.Needed ? DoctorFinding.Ok(Name, seen) : DoctorFinding.Fail(Name, seen, command);
        }

        var mend =
            Programs.Problem(Programs.SearchPath, "newuidmap", "newgidmap") is { } missing ? missing.Split(": ", 2)[^1]
            : !SubordinateIds.Has(user, userNumber, etc) ? command
            : "newuidmap and newgidmap must be setuid root: sudo chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap";
        return DoctorFinding.Fail(Name, tried.LastLine, mend);
    }

    /// <summary>All that the keeper of a container mounts before its guest starts, in namespaces like its own.</summary>
    /// <param name="probe">What tries it; default: the keeper's mounts.</param>
    public static async Task<DoctorFinding> MountsAsync(CancellationToken cancellationToken, params string[] probe)
    {
        const string Name = "mounts of a container";
        // As DesktopKeeper and ContainerDriver do.
        const string Script = """
            try() {
                said=$(mount -t "$1" -o "$2" "$1" "$3" 2>&1) && return
                echo "$1 on $3: $said"
                exit 1
            }
            try proc nosuid,nodev,noexec /proc
            try sysfs ro,nosuid,nodev,noexec /sys
            try tmpfs nosuid,nodev,noexec,mode=0555,size=4k /sys/fs/cgroup
            try cgroup2 nosuid,nodev,noexec /sys/fs/cgroup
            """;
        string[] inNamespaces =
        [
            "unshare",
            "--map-root-user",
            "--map-auto",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--cgroup",
            "--ipc",
            "--uts",
            "sh",
            "-c",
            Script,
        ];
        var tried = await HostProbe.RunAsync(Deadline, cancellationToken, probe.Length > 0 ? probe : inNamespaces);
        return tried.Succeeded
            ? DoctorFinding.Ok(Name, "proc, sysfs and cgroup2 can be mounted")
            : DoctorFinding.Fail(
                Name,
                tried.FirstLine,
                "the kernel refuses what each container's keeper mounts. Where this is a container itself, its /proc and /sys must not be masked; the kernel needs cgroup v2"
            );
    }

    public static async Task<DoctorFinding> NetworkAsync(CancellationToken cancellationToken)
    {
        const string Name = "network namespace, veth, nft";
        const string Script = """
            set -e
            ip link add doctor0 type veth peer name doctor1
            nft add table ip doctor
            nft 'add chain ip doctor prerouting { type nat hook prerouting priority -100; }'
            nft add rule ip doctor prerouting iifname doctor0 tcp dport 1-65535 redirect to :10002
            """;
        var tried = await HostProbe.RunAsync(
            Deadline,
            cancellationToken,
            "unshare",
            "--map-root-user",
            "--map-auto",
            "--net",
            "sh",
            "-c",
            Script
        );
        return tried.Succeeded
            ? DoctorFinding.Ok(Name, "pair, NAT table and redirect made")
            : DoctorFinding.Fail(
                Name,
                tried.LastLine,
                Programs.Problem(Programs.SearchPath, "ip", "nft")?.Split(": ", 2)[^1]
                    ?? "sudo modprobe -a veth nf_tables nft_redir nft_chain_nat"
            );
    }

    /// <summary>Asks it for its version; what is there is not to be installed.</summary>
    /// <param name="mend">Where the table of packages has none.</param>
    public static async Task<DoctorFinding> ProgramAsync(
        string program,
        DoctorOutcome missing,
        CancellationToken cancellationToken,
        string? mend = null
    )
    {
        if (Programs.Problem(Programs.SearchPath, program)?.Split(": ", 2) is { } problem)
        {
            return new DoctorFinding(program, missing, problem[0], problem.ElementAtOrDefault(1) ?? mend);
        }

        // crun 1.21 tells its state directory with its version, which must be there: without one named it fails for a user who has no
        // XDG_RUNTIME_DIR.
        string[] command = program == "crun" ? [program, "--root=/", "--version"] : [program, "--version"];
        var tried = await HostProbe.RunAsync(Deadline, cancellationToken, command);
        return tried.Succeeded
            ? DoctorFinding.Ok(program, tried.FirstLine)
            : new DoctorFinding(
                program,
                missing,
                tried.LastLine,
                $"{program} --version fails, though it is installed: its own words say why"
            );
    }

    private static string? ReadSetting(string settings, string name) =>
        Path.Combine(settings, name) is var path && File.Exists(path) ? File.ReadAllText(path).Trim() : null;
}
