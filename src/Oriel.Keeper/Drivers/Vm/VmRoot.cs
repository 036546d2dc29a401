using Oriel.Linux.Namespaces;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>
/// All that a VMM sees of this host: what packages install (/usr, read-only), the devices that it is given, and its own descriptors. The
/// keeper fills it, and owns every name in it; the VMM makes files in <see cref="Own"/> alone.
/// </summary>
internal static class VmRoot
{
    /// <summary>
    /// Where the VMM makes its sockets. The keeper does nothing by name in here but connect to them, which follows no link.
    /// </summary>
    public const string Own = "own";

    /// <summary>From the root: where the process that becomes the VMM sees its own descriptors, and nothing else of /proc.</summary>
    public const string Descriptors = "proc/self/fd";

    private const string Packages = "/usr";
    private const string Kvm = "/dev/kvm";

    private const MountOptions Inert = MountOptions.NoSuid | MountOptions.NoDevices;
    private const UnixFileMode EveryoneReads = (UnixFileMode)0b111_101_101;

    /// <summary>Links to directories of /usr since Debian 12; directories elsewhere.</summary>
    private static readonly string[] Merged = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

    /// <summary>Mounts it, with nothing of the machine's in it yet.</summary>
    /// <param name="path">An empty directory.</param>
    /// <param name="kvm">The VMM uses /dev/kvm.</param>
    public static void Make(string path, bool kvm)
    {
        Mounts.Mount("tmpfs", path, "tmpfs", Inert | MountOptions.NoExecute, "mode=0755,size=4m");
        // What the keeper mounts here later is seen by the VMM, whose mount namespace is its own and changes nothing in the keeper's.
        Mounts.Mount("none", path, null, MountOptions.Shared);
        Directory.CreateDirectory(In(path, Descriptors), EveryoneReads);
        foreach (var device in (string[])["/dev/null", "/dev/urandom", "/dev/net/tun", .. kvm ? (string[])[Kvm] : []])
        {
            BindFile(path, device);
        }

        BindTree(path, Packages);
        foreach (var name in Merged.Where(name => Directory.Exists("/" + name)))
        {
            if (new DirectoryInfo("/" + name).LinkTarget is { } target)
            {
                File.CreateSymbolicLink(In(path, name), target);
            }
            else
            {
                BindTree(path, "/" + name);
            }
        }

        const string Libraries = "/etc/ld.so.cache";
        if (File.Exists(Libraries))
        {
            BindFile(path, Libraries);
        }

        Directory.CreateDirectory(In(path, Own));
        Mounts.Mount(
            "tmpfs",
            In(path, Own),
            "tmpfs",
            Inert | MountOptions.NoExecute,
            $"mode=0700,uid={VmDirectory.UserId},gid={VmDirectory.UserId},size=64k"
        );
    }

    /// <summary>
    /// Makes a program usable in it: where no package installed it, the file alone, and nothing that lies beside it. Idempotent.
    /// </summary>
    /// <param name="program">Absolute.</param>
    public static void Admit(string path, string program)
    {
        if (!File.Exists(In(path, program)))
        {
            BindFile(path, program);
        }
    }

    /// <summary>
    /// One of this process's groups may be what opens /dev/kvm to the VMM. Which one cannot be said in a user namespace that does not have
    /// it: so it keeps all, or none.
    /// </summary>
    public static bool NeedsGroups => File.Exists(Kvm) && (File.GetUnixFileMode(Kvm) & UnixFileMode.OtherWrite) == 0;

    private static string In(string path, string name) => Path.Combine(path, name.TrimStart('/'));

    private static void BindTree(string path, string source)
    {
        var target = In(path, source);
        Directory.CreateDirectory(target, EveryoneReads);
        // With what is mounted below it, as the kernel asks of a namespace that was given both.
        Mounts.Mount(source, target, null, MountOptions.Bind | MountOptions.Recursive);
        Mounts.Mount(
            "none",
            target,
            null,
            MountOptions.Remount | MountOptions.Bind | MountOptions.ReadOnly | Inert | Mounts.LockedOptions(source)
        );
    }

    private static void BindFile(string path, string source)
    {
        var target = In(path, source);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!, EveryoneReads);
        File.WriteAllBytes(target, []);
        Mounts.Mount(source, target, null, MountOptions.Bind);
    }
}
