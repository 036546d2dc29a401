using System.ComponentModel;
using System.Runtime.InteropServices;

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
}

/// <summary>mount(2) in the mount namespace of this process.</summary>
public static partial class Mounts
{
    /// <exception cref="Win32Exception">The kernel refused; the message names the target and the file system.</exception>
    public static void Mount(string source, string target, string? type, MountOptions options, string? data = null)
    {
        if (mount(source, target, type, (nuint)options, data) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new Win32Exception(errno, $"mount of {type ?? "nothing"} on {target} failed: {Marshal.GetPInvokeErrorMessage(errno)}");
        }
    }

    /// <summary>umount2(2): takes the topmost mount off a path.</summary>
    /// <exception cref="Win32Exception">There is none, or a file of it is open.</exception>
    public static void Unmount(string target)
    {
        if (umount2(target, 0) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new Win32Exception(errno, $"umount of {target} failed: {Marshal.GetPInvokeErrorMessage(errno)}");
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
    public static unsafe MountOptions LockedOptions(string path)
    {
        // SAFETY: struct statvfs is 112 bytes on x86-64; f_flag is at 72, and its bits ST_NOSUID, ST_NODEV, ST_NOEXEC are those of
        // mount(2).
        var buffer = stackalloc byte[128];
        if (statvfs(path, buffer) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"statvfs of {path}");
        }

        const MountOptions Locked = MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute;
        return (MountOptions)(*(ulong*)(buffer + 72)) & Locked;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statvfs(string path, byte* buffer);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string? type, nuint flags, string? data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);
}
