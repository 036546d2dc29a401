using System.Runtime.InteropServices;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>
/// What a guest's processes may not ask of the kernel that they share with the host: loading code into it, its clocks and keys, new
/// mounts, other namespaces, the interfaces with the worst record, and sockets of families that no network namespace contains.
/// Creating user namespaces stays allowed, as Chromium's own sandbox is made of them.
/// </summary>
internal static class SeccompProfile
{
    private const string Deny = "SCMP_ACT_ERRNO";
    private const uint NotPermitted = 1;
    private const uint NotImplemented = 38;
    private const uint NoSuchFamily = 97;

    private const ulong FamilyNetlink = 16;
    private const ulong NetlinkXfrm = 6;
    private const ulong NetlinkNetfilter = 12;

    /// <summary>TIOCSTI and TIOCLINUX put characters into another's terminal.</summary>
    private static readonly ulong[] TerminalInjection = [0x5412, 0x541C];

    /// <summary>
    /// AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK; AF_VSOCK above all must not be among them, since no namespace bounds it.
    /// </summary>
    private static readonly ulong[] AllowedFamilies = [1, 2, 10, FamilyNetlink];

    private static readonly string[] Dangerous =
    [
        "acct",
        "add_key",
        "adjtimex",
        "bpf",
        "clock_adjtime",
        "clock_settime",
        "create_module",
        "delete_module",
        "finit_module",
        "get_kernel_syms",
        "init_module",
        "ioperm",
        "iopl",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "lookup_dcookie",
        "mount",
        "move_pages",
        "name_to_handle_at",
        "nfsservctl",
        "open_by_handle_at",
        "perf_event_open",
        "pivot_root",
        "query_module",
        "quotactl",
        "quotactl_fd",
        "reboot",
        "request_key",
        "setns",
        "settimeofday",
        "stime",
        "swapoff",
        "swapon",
        "syslog",
        "sysfs",
        "umount",
        "umount2",
        "uselib",
        "userfaultfd",
        "ustat",
        "vhangup",
        "vm86",
        "vm86old",
    ];

    /// <summary>Denied as if the kernel were older: programs then take the way that they took before.</summary>
    private static readonly string[] Newer =
    [
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",
        "mount_setattr",
        "move_mount",
        "open_tree",
    ];

    public static OciSeccomp Create()
    {
        List<OciSyscalls> rules =
        [
            new(Dangerous, Deny, NotPermitted),
            new(Newer, Deny, NotImplemented),
            new(["socket"], Deny, NoSuchFamily, [new OciArgument(0, FamilyNetlink, "SCMP_CMP_GT")]),
            new(
                ["socket"],
                Deny,
                NoSuchFamily,
                [new OciArgument(0, FamilyNetlink, "SCMP_CMP_EQ"), new OciArgument(2, NetlinkNetfilter, "SCMP_CMP_EQ")]
            ),
            new(
                ["socket"],
                Deny,
                NoSuchFamily,
                [new OciArgument(0, FamilyNetlink, "SCMP_CMP_EQ"), new OciArgument(2, NetlinkXfrm, "SCMP_CMP_EQ")]
            ),
        ];
        for (ulong family = 0; family < FamilyNetlink; family++)
        {
            if (!AllowedFamilies.Contains(family))
            {
                rules.Add(new(["socket"], Deny, NoSuchFamily, [new OciArgument(0, family, "SCMP_CMP_EQ")]));
            }
        }

        rules.AddRange(
            TerminalInjection.Select(request => new OciSyscalls(
                ["ioctl"],
                Deny,
                NotPermitted,
                [new OciArgument(1, request, "SCMP_CMP_EQ")]
            ))
        );
        return new OciSeccomp("SCMP_ACT_ALLOW", [Architecture], rules);
    }

    // Only the machine's own: a call by any other ABI (x32, i386) kills the caller, so none goes round the rules.
    private static string Architecture =>
        RuntimeInformation.ProcessArchitecture switch
        {
            System.Runtime.InteropServices.Architecture.Arm64 => "SCMP_ARCH_AARCH64",
            _ => "SCMP_ARCH_X86_64",
        };
}
