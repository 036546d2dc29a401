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

    /// <summary>From here on nothing mounted here is seen by the namespace that this one was copied from, nor the other way round.</summary>
    public static void MakeAllPrivate() => Mount("none", "/", null, MountOptions.Recursive | MountOptions.Private);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string? type, nuint flags, string? data);
}
