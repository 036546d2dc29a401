namespace Oriel.Keeper.Drivers.Container;

/// <param name="Root">The merged root file system.</param>
/// <param name="NetworkNamespace">Path by which the runtime opens the guest's network namespace.</param>
/// <param name="Sys">A sysfs mounted inside that namespace, so it shows none of the host's interfaces.</param>
/// <param name="Boot">The file to be shown as boot.json.</param>
/// <param name="AgentOverride">A host's file to be shown in place of the image's agent; null: the image's own.</param>
internal sealed record ContainerPaths(string Root, string NetworkNamespace, string Sys, string Boot, string? AgentOverride);

/// <summary>Writes the container's config.json. Reasons and measurements: docs/decisions/0051-container-guest.md.</summary>
internal static class OciConfigBuilder
{
    public const string AgentPath = "/usr/lib/oriel/oriel-agent";

    /// <summary>Enough for Chromium; without CAP_SYS_RESOURCE on the host it cannot be above what the keeper was given.</summary>
    public const ulong OpenFiles = 65536;

    /// <summary>
    /// What guest root may do, all of it only to what its own user namespace owns: files of any owner, sessions as another user, the
    /// hostname, the package manager's work. NET_ADMIN and NET_RAW would be void, as the network namespace is the keeper's; mounts and
    /// setns are refused by the seccomp profile in spite of SYS_ADMIN.
    /// </summary>
    private static readonly string[] Capabilities =
    [
        "CAP_AUDIT_WRITE",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_ADMIN",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_RESOURCE",
    ];

    private static readonly string[] Masked =
    [
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/kmsg",
        "/proc/kallsyms",
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
        "/sys/fs/selinux",
        "/sys/kernel",
    ];

    private static readonly string[] ReadOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    // The mapping is the keeper's own, one to one, and in the keeper's two pieces: the kernel maps a range only from within one piece.
    private static readonly OciIdMapping[] Ids = [new(0, 0, 1), new(1, 1, 65535)];

    public static OciConfig Build(ContainerPaths paths, string hostname, ulong openFiles) =>
        new(
            "1.0.2",
            new OciProcess(
                Terminal: false,
                new OciUser(0, 0, Umask: 0x12),
                [AgentPath],
                ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=oriel"],
                "/",
                new OciCapabilities(Capabilities, Capabilities, Capabilities),
                [new("RLIMIT_NOFILE", openFiles, openFiles), new("RLIMIT_CORE", 0, 0)],
                // sudo and apt inside need set-uid programs; what they gain is bounded by the capabilities above.
                NoNewPrivileges: false
            ),
            new OciRoot(paths.Root, Readonly: false),
            hostname,
            MountsOf(paths),
            new OciLinux(
                Ids,
                Ids,
                [new("pid"), new("ipc"), new("uts"), new("mount"), new("user"), new("cgroup"), new("network", paths.NetworkNamespace)],
                Masked,
                ReadOnly,
                SeccompProfile.Create()
            )
        );

    private static List<OciMount> MountsOf(ContainerPaths paths)
    {
        List<OciMount> mounts =
        [
            new("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            new("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "strictatime", "mode=755", "size=1m"]),
            new("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            new("/dev/shm", "tmpfs", "tmpfs", ["nosuid", "nodev", "noexec", "mode=1777", "size=1g"]),
            new("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "nodev", "noexec"]),
            new("/sys", "none", paths.Sys, ["rbind", "ro", "nosuid", "noexec", "nodev"]),
            new("/run", "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=755", "size=64m"]),
            new(Protocol.Boot.BootConfig.GuestPath, "none", paths.Boot, ["bind", "ro", "nosuid", "nodev", "noexec"]),
        ];
        if (paths.AgentOverride is { } agent)
        {
            mounts.Add(new(AgentPath, "none", agent, ["bind", "ro", "nosuid", "nodev"]));
        }

        return mounts;
    }
}
