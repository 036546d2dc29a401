using Oriel.Linux;
using Oriel.Linux.Machine;
using static Oriel.Linux.Machine.GuestMachine;

namespace Oriel.Agent.Boot;

/// <summary>The file systems that an init provides where its driver has not.</summary>
internal static class MachineMounts
{
    private static readonly (string Target, string Type, MountFlags Flags, string? Data)[] Wanted =
    [
        ("/proc", "proc", MountFlags.NoSetUid | MountFlags.NoDevices | MountFlags.NoExecute, null),
        ("/sys", "sysfs", MountFlags.NoSetUid | MountFlags.NoDevices | MountFlags.NoExecute, null),
        ("/dev", "devtmpfs", MountFlags.NoSetUid, "mode=0755"),
        ("/dev/pts", "devpts", MountFlags.NoSetUid | MountFlags.NoExecute, "newinstance,ptmxmode=0666,mode=0620"),
        ("/dev/shm", "tmpfs", MountFlags.NoSetUid | MountFlags.NoDevices, "mode=1777,size=50%"),
        ("/run", "tmpfs", MountFlags.NoSetUid | MountFlags.NoDevices, "mode=0755,size=25%"),
        ("/tmp", "tmpfs", MountFlags.NoSetUid | MountFlags.NoDevices, "mode=1777,size=50%"),
    ];

    /// <summary>
    /// Files under these prove that the directory is in use although it is no mount point (a bind-mounted device, boot.json).
    /// </summary>
    private static readonly Dictionary<string, string> InUse = new()
    {
        ["/proc"] = "/proc/self",
        ["/dev"] = "/dev/null",
        ["/run"] = "/run/oriel",
        ["/dev/pts"] = "/dev/pts/ptmx",
    };

    /// <returns>What was mounted, for the console.</returns>
    /// <exception cref="LinuxException">One that is needed cannot be mounted.</exception>
    public static string MountMissing()
    {
        List<string> mounted = [];
        foreach (var (target, type, flags, data) in Wanted)
        {
            if (IsMountPoint(target) || (InUse.TryGetValue(target, out var proof) && Path.Exists(proof)))
            {
                continue;
            }

            Directory.CreateDirectory(target);
            try
            {
                Mount(type, target, type, flags, data);
                mounted.Add(target);
            }
            catch (LinuxException) when (target is "/tmp" or "/sys")
            {
                // /tmp of the root disk serves as well; nothing of ours reads /sys.
            }
        }

        return mounted.Count == 0 ? "all there" : $"mounted {string.Join(' ', mounted)}";
    }
}
