using System.Runtime.InteropServices;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>
/// The system calls that a guest's processes may make of the kernel that they share with the host. What is not listed does not exist
/// (ENOSYS), whatever a later kernel adds: among it are new mounts, loading code, io_uring and sockets of families that no network
/// namespace contains. Creating user namespaces stays allowed, as Chromium's own sandbox is made of them.
/// </summary>
/// <remarks>
/// The kernel sees an argument as 64 bits, but takes only the low 32 of a socket's family and protocol and of an ioctl's request. Rules on
/// arguments therefore compare under a mask (<see cref="OciArgument"/> can hold no other), so that set high bits slip past none.
/// </remarks>
internal static class SeccompProfile
{
    private const string Allow = "SCMP_ACT_ALLOW";
    private const string Deny = "SCMP_ACT_ERRNO";
    private const uint NotPermitted = 1;
    private const uint NotImplemented = 38;
    private const uint NoSuchProtocol = 93;
    private const uint NoSuchFamily = 97;

    private const uint FamilyNetlink = 16;

    /// <summary>Highest family that is named one by one where it is denied; those above are denied bit by bit.</summary>
    private const uint MaxNamedFamily = 31;

    /// <summary>AF_UNIX, AF_INET and AF_INET6. AF_VSOCK above all must not be among them, since no namespace bounds it.</summary>
    private static readonly uint[] AllowedFamilies = [1, 2, 10];

    /// <summary>NETLINK_ROUTE, SOCK_DIAG, AUDIT (sudo) and KOBJECT_UEVENT; not netfilter, xfrm or the generic one.</summary>
    private static readonly uint[] AllowedNetlink = [0, 4, 9, 15];

    /// <summary>
    /// TIOCSTI (0x5412) and TIOCLINUX (0x541C), which put characters into another's terminal. They share all bits but those of the lowest
    /// digit.
    /// </summary>
    private static readonly uint[] TerminalInjection = [0x5412, 0x541C];

    /// <summary>Not permitted, as programs that ask for them expect. All else that is not in <see cref="Allowed"/> is ENOSYS.</summary>
    private static readonly string[] Refused = Names(
        """
        acct add_key adjtimex bpf clock_adjtime clock_settime delete_module fanotify_init finit_module init_module ioperm iopl
        kexec_file_load kexec_load keyctl lookup_dcookie migrate_pages mount move_pages name_to_handle_at open_by_handle_at
        perf_event_open pivot_root quotactl quotactl_fd reboot request_key setns settimeofday swapoff swapon syslog umount2
        userfaultfd vhangup
        """
    );

    private static readonly string[] Allowed = Names(
        """
        access alarm arch_prctl brk capget capset chdir chmod chown chroot clock_getres clock_gettime clock_nanosleep clone clone3 close
        close_range copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
        eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchown
        fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_waitv
        futimesat get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups
        getitimer getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid gettid gettimeofday
        getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
        io_setup io_submit ioprio_get ioprio_set kcmp kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown
        lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise mbind membarrier memfd_create memfd_secret
        mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
        mq_timedsend mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open openat openat2
        pause personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64
        preadv preadv2 prlimit64 process_madvise process_mrelease process_vm_readv process_vm_writev pselect6 ptrace pwrite64 pwritev
        pwritev2 read readahead readlink readlinkat readv remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq
        rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
        sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget
        semop semtimedop sendfile set_mempolicy set_mempolicy_home_node set_robust_list set_thread_area set_tid_address setdomainname
        setfsgid setfsuid setgid setgroups sethostname setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid
        setuid setxattr shmat shmctl shmdt shmget sigaltstack signalfd signalfd4 splice stat statfs statx symlink symlinkat sync
        sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime
        timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat unshare utime utimensat utimes
        vfork vmsplice wait4 waitid write writev

        accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt
        shutdown socketpair
        """
    );

    public static OciSeccomp Create() =>
        new(
            Deny,
            NotImplemented,
            [Architecture],
            [new(Refused, Deny, NotPermitted), new(Allowed, Allow), .. SocketRules(), .. TerminalRules()]
        );

    private static IEnumerable<OciSyscalls> SocketRules()
    {
        foreach (var family in AllowedFamilies)
        {
            yield return new(["socket"], Allow, Args: [OciArgument.Is(0, family)]);
        }

        foreach (var protocol in AllowedNetlink)
        {
            yield return new(["socket"], Allow, Args: [OciArgument.Is(0, FamilyNetlink), OciArgument.Is(2, protocol)]);
        }

        // Not needed to refuse, as what is not allowed is: these give the errors that programs expect of a kernel without the family.
        for (uint family = 0; family <= MaxNamedFamily; family++)
        {
            if (family != FamilyNetlink && !AllowedFamilies.Contains(family))
            {
                yield return new(["socket"], Deny, NoSuchFamily, [OciArgument.Is(0, family)]);
            }
        }

        for (var bit = MaxNamedFamily + 1; bit != 0; bit <<= 1)
        {
            yield return new(["socket"], Deny, NoSuchFamily, [OciArgument.HasBits(0, bit, bit)]);
        }

        const uint MaxLinks = 32;
        for (uint protocol = 0; protocol < MaxLinks; protocol++)
        {
            if (!AllowedNetlink.Contains(protocol))
            {
                yield return new(["socket"], Deny, NoSuchProtocol, [OciArgument.Is(0, FamilyNetlink), OciArgument.Is(2, protocol)]);
            }
        }
    }

    /// <summary>
    /// Every request but <see cref="TerminalInjection"/>. An allowing rule without arguments would win over a denying one with them, so
    /// what is allowed is said bit by bit: any request that differs from both above the lowest digit, and the other fourteen below it.
    /// </summary>
    private static IEnumerable<OciSyscalls> TerminalRules()
    {
        const uint Digit = 0xF;
        var shared = TerminalInjection[0] & ~Digit;
        for (var bit = Digit + 1; bit != 0; bit <<= 1)
        {
            yield return new(["ioctl"], Allow, Args: [OciArgument.HasBits(1, bit, ~shared & bit)]);
        }

        for (uint digit = 0; digit <= Digit; digit++)
        {
            var request = shared | digit;
            yield return TerminalInjection.Contains(request)
                ? new(["ioctl"], Deny, NotPermitted, [OciArgument.Is(1, request)])
                : new(["ioctl"], Allow, Args: [OciArgument.Is(1, request)]);
        }
    }

    private static string[] Names(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    // Only the machine's own: a call by any other ABI (x32, i386) kills the caller, so none goes round the rules.
    private static string Architecture =>
        RuntimeInformation.ProcessArchitecture switch
        {
            System.Runtime.InteropServices.Architecture.Arm64 => "SCMP_ARCH_AARCH64",
            _ => "SCMP_ARCH_X86_64",
        };
}
