using Oriel.Linux.Calls;

namespace Oriel.Linux.Namespaces;

[Flags]
public enum MountOptions : ulong
{
    None = 0,
    ReadOnly = 1,
    NoSuid = 2,
    NoDevices = 4,
    NoExecute = 8,
    Remount = 32,
    Bind = 4096,
    Recursive = 16384,
    Private = 1 << 18,
    Shared = 1 << 20,
}

/// <summary>mount(2) in the mount namespace of this process.</summary>
public static class Mounts
{
    /// <param name="type">The file system; null where the options ask for something else than a new mount.</param>
    /// <exception cref="LinuxException">The kernel refused; the message names the target and the file system.</exception>
    public static void Mount(string source, string target, string? type, MountOptions options, string? data = null) =>
        LinuxException.ThrowIfNegative(
            NamespaceCalls.Mount(source, target, type, (nuint)options, data),
            "mount",
            type is null ? target : $"{type} on {target}"
        );

    /// <summary>umount2(2): takes the topmost mount off a path.</summary>
    /// <exception cref="LinuxException">There is none, or a file of it is open.</exception>
    public static void Unmount(string target) => LinuxException.ThrowIfNegative(NamespaceCalls.Unmount(target, 0), "umount2", target);

    /// <summary>True when something is mounted at exactly this directory or file. Works before /proc is there.</summary>
    public static bool IsMountPoint(string path)
    {
        return MountId(path) is { } own && MountId(Path.GetDirectoryName(path) ?? "/") is { } parent && own != parent;

        static unsafe ulong? MountId(string path)
        {
            // SAFETY: struct statx is as long; stx_mnt_id is at 144 (Linux 5.8).
            var buffer = stackalloc byte[FileCalls.StatxBytes];
            return FileCalls.Statx(FileCalls.AtFdCwd, path, 0, FileCalls.StatxMountId, buffer) == 0 ? *(ulong*)(buffer + 144) : null;
        }
    }

    /// <summary>
    /// From here on nothing mounted here is seen by the namespace that this one was copied from, nor the other way round.
    /// </summary>
    public static void MakeAllPrivate() => Mount("none", "/", null, MountOptions.Recursive | MountOptions.Private);

    /// <summary>
    /// The options of the mount at this path that a user namespace below its owner may not take away (mount_namespaces(7)): a bind mount of
    /// it can be made read-only only with these named again.
    /// </summary>
    /// <exception cref="LinuxException"/>
    public static MountOptions LockedOptions(string path)
    {
        const MountOptions Locked = MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute;
        LinuxException.ThrowIfNegative(FileCalls.StatVfs(path, out var status), "statvfs", path);
        // ST_NOSUID, ST_NODEV and ST_NOEXEC are the bits of mount(2).
        return (MountOptions)status.Flags & Locked;
    }
}
