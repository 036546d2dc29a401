using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Linux.Namespaces;

namespace Oriel.Agent.Boot;

/// <summary>The file systems that an init provides where its driver has not.</summary>
internal static class MachineMounts
{
    private static readonly (string Target, string Type, MountOptions Options, string? Data)[] Wanted =
    [
        ("/proc", "proc", MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute, null),
        ("/sys", "sysfs", MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute, null),
        ("/dev", "devtmpfs", MountOptions.NoSuid, "mode=0755"),
        ("/dev/pts", "devpts", MountOptions.NoSuid | MountOptions.NoExecute, "newinstance,ptmxmode=0666,mode=0620"),
        ("/dev/shm", "tmpfs", MountOptions.NoSuid | MountOptions.NoDevices, "mode=1777,size=50%"),
        ("/run", "tmpfs", MountOptions.NoSuid | MountOptions.NoDevices, "mode=0755,size=25%"),
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

    /// <summary>/tmp is on the desktop's own disk, which has the room that programs unpack and build in.</summary>
    /// <returns>What was mounted, for the console.</returns>
    /// <exception cref="LinuxException">One that is needed cannot be mounted.</exception>
    public static string MountMissing()
    {
        List<string> mounted = [];
        if (!Directory.Exists("/tmp"))
        {
            using var tmp = DirectoryHandle.OpenOrCreate("/tmp", 0, 0);
            tmp.SetMode(0x3ff); // 1777
        }

        foreach (var (target, type, options, data) in Wanted)
        {
            if (Mounts.IsMountPoint(target) || (InUse.TryGetValue(target, out var proof) && Path.Exists(proof)))
            {
                continue;
            }

            Directory.CreateDirectory(target);
            try
            {
                Mounts.Mount(type, target, type, options, data);
                mounted.Add(target);
            }
            catch (LinuxException) when (target is "/sys")
            {
                // Nothing of ours reads it.
            }
        }

        return mounted.Count == 0 ? "all there" : $"mounted {string.Join(' ', mounted)}";
    }
}
