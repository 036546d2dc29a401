namespace Oriel.Server.Commands.Doctor;

/// <summary>What a keeper needs of the kernel, each tried in a user namespace as the keeper will.</summary>
internal static class NamespaceChecks
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    /// <param name="settings">Where the kernel's settings are.</param>
    /// <param name="probe">What makes a namespace; default: unshare.</param>
    public static async Task<DoctorFinding> UserNamespacesAsync(CancellationToken cancellationToken, string settings = "/proc/sys", params string[] probe)
    {
        const string Name = "user namespaces";
        var tried = await HostProgram.RunAsync(Deadline, cancellationToken, probe.Length > 0 ? probe : ["unshare", "--map-root-user", "id", "-u"]);
        if (tried.Succeeded)
        {
            return DoctorFinding.Ok(Name, "an ordinary user can make one");
        }

        var mend = ReadSetting(settings, "kernel/unprivileged_userns_clone") == "0"
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
        const string Name = "subordinate ids";
        var user = Environment.UserName;
        var tried = await HostProgram.RunAsync(Deadline, cancellationToken, "unshare", "--map-root-user", "--map-auto", "cat", "/proc/self/uid_map");
        var lines = tried.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (tried.Succeeded && lines.Length >= 2)
        {
            return DoctorFinding.Ok(Name, $"{user}: {lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1]} ids");
        }

        return DoctorFinding.Fail(Name, tried.LastLine, File.Exists("/usr/bin/newuidmap")
            ? $"sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 {user}; /usr/bin/newuidmap and newgidmap must be setuid root"
            : "sudo apt-get install uidmap");
    }

    public static async Task<DoctorFinding> OverlayAsync(string data, CancellationToken cancellationToken)
    {
        const string Name = "overlay in a user namespace";
        // In the data directory, because it depends on that file system (not on NFS, not on an overlay).
        const string Script = """
            set -e
            cd "$1"
            mkdir lower upper work merged
            echo old > lower/file
            mount -t overlay overlay -o userxattr,lowerdir=lower,upperdir=upper,workdir=work merged
            echo new > merged/file
            test "$(cat lower/file)" = old
            umount merged
            """;
        var place = Path.Combine(data, ".doctor-" + Guid.NewGuid().ToString("n"));
        Directory.CreateDirectory(place);
        try
        {
            var tried = await HostProgram.RunAsync(
                Deadline, cancellationToken, "unshare", "--map-root-user", "--map-auto", "--mount", "sh", "-c", Script, "overlay", place);
            return tried.Succeeded
                ? DoctorFinding.Ok(Name, $"works in {data}")
                : DoctorFinding.Fail(Name, tried.LastLine, "a kernel of 5.11 or newer, and --data on a local file system (ext4, xfs, btrfs)");
        }
        finally
        {
            await HostProgram.RunAsync(Deadline, CancellationToken.None, "unshare", "--map-root-user", "--map-auto", "rm", "-rf", place);
        }
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
        var tried = await HostProgram.RunAsync(Deadline, cancellationToken, "unshare", "--map-root-user", "--map-auto", "--net", "sh", "-c", Script);
        return tried.Succeeded
            ? DoctorFinding.Ok(Name, "pair, NAT table and redirect made")
            : DoctorFinding.Fail(Name, tried.LastLine, "sudo apt-get install iproute2 nftables; kernel modules veth, nf_tables, nft_redir, nft_chain_nat");
    }

    public static async Task<DoctorFinding> ProgramAsync(string program, string package, DoctorOutcome missing, CancellationToken cancellationToken)
    {
        var tried = await HostProgram.RunAsync(Deadline, cancellationToken, program, "--version");
        return tried.Succeeded
            ? DoctorFinding.Ok(program, tried.FirstLine)
            : new DoctorFinding(program, missing, tried.LastLine, $"sudo apt-get install {package}");
    }

    private static string? ReadSetting(string settings, string name) =>
        Path.Combine(settings, name) is var path && File.Exists(path) ? File.ReadAllText(path).Trim() : null;
}
