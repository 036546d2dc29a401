using System.Runtime.InteropServices;

namespace Oriel.Linux.Machine;

/// <summary>What an init does to its machine: mounts, name, clock, randomness. All need the capabilities of the guest's root.</summary>
public static unsafe partial class GuestMachine
{
    private const nuint RndAddEntropy = 0x40085203,
        RndReseed = 0x5207;

    [Flags]
    public enum MountFlags : uint
    {
        None = 0,
        NoSetUid = 2,
        NoDevices = 4,
        NoExecute = 8,
        Bind = 4096,
    }

    /// <exception cref="LinuxException"/>
    public static void Mount(string source, string target, string type, MountFlags flags, string? data = null) =>
        Check(MountCall(source, target, type, (nuint)flags, data), "mount", target);

    /// <summary>True when something is mounted at exactly this directory or file. Works before /proc is there.</summary>
    public static bool IsMountPoint(string path)
    {
        const uint MountIdValue = 0x1000;
        return MountId(path) is { } own && MountId(Path.GetDirectoryName(path) ?? "/") is { } parent && own != parent;

        static ulong? MountId(string path)
        {
            // SAFETY: struct statx is 256 bytes; stx_mnt_id is at 144 (Linux 5.8).
            var buffer = stackalloc byte[256];
            return Files.FileCalls.Statx(Files.FileCalls.AtFdCwd, path, 0, MountIdValue, buffer) == 0 ? *(ulong*)(buffer + 144) : null;
        }
    }

    /// <exception cref="LinuxException">EPERM where the keeper owns the name.</exception>
    public static void SetHostname(string name) => Check(SetHostNameCall(name, (nuint)name.Length), "sethostname", name);

    /// <exception cref="LinuxException">EPERM where the clock is the host's.</exception>
    public static void SetClock(long microsecondsSince1970)
    {
        // SAFETY: struct timespec is two 64-bit words.
        var time = stackalloc long[] { microsecondsSince1970 / 1_000_000, microsecondsSince1970 % 1_000_000 * 1000 };
        Check(ClockSetTime(0, time), "clock_settime");
    }

    /// <summary>
    /// Mixes in and credits these bytes, and has the generator start from them at once (random(4), RNDADDENTROPY, RNDRESEEDCRNG).
    /// </summary>
    /// <exception cref="LinuxException">EPERM where the kernel is the host's.</exception>
    public static void AddEntropy(ReadOnlySpan<byte> entropy)
    {
        using var random = File.OpenHandle("/dev/urandom", FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        var request = new byte[8 + entropy.Length];
        BitConverter.TryWriteBytes(request, entropy.Length * 8);
        BitConverter.TryWriteBytes(request.AsSpan(4), entropy.Length);
        entropy.CopyTo(request.AsSpan(8));
        // SAFETY: struct rand_pool_info: bit count, byte count, then the bytes; pinned for the call.
        fixed (byte* p = request)
        {
            Check(Processes.ProcessCalls.Ioctl((int)random.DangerousGetHandle(), RndAddEntropy, (nint)p), "ioctl", "RNDADDENTROPY");
        }

        Check(Processes.ProcessCalls.Ioctl((int)random.DangerousGetHandle(), RndReseed, 0), "ioctl", "RNDRESEEDCRNG");
    }

    /// <summary>True when this process is in the first user namespace, so that kernel, clock and name may be its own.</summary>
    public static bool OwnsKernel() =>
        File.ReadAllText("/proc/self/uid_map").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is ["0", "0", "4294967295"];

    /// <summary>All dirty pages of all file systems to their disks (sync(2)).</summary>
    public static void Sync() => SyncCall();

    /// <summary>Ends a guest that has its own kernel (reboot(2), RB_POWER_OFF). In a PID namespace it kills the namespace's init.</summary>
    public static void PowerOff() => _ = RebootCall(0x4321fedc);

    /// <summary>The same by a reset (RB_AUTOBOOT), for a VMM that knows no switching off and ends at a reset.</summary>
    public static void Reset() => _ = RebootCall(0x1234567);

    private static void Check(int result, string call, string? subject = null)
    {
        if (result < 0)
        {
            throw LinuxException.Last(call, subject);
        }
    }

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MountCall(string source, string target, string type, nuint flags, string? data);

    [LibraryImport("libc", EntryPoint = "sethostname", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetHostNameCall(string name, nuint length);

    [LibraryImport("libc", EntryPoint = "clock_settime", SetLastError = true)]
    private static partial int ClockSetTime(int clock, long* time);

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void SyncCall();

    [LibraryImport("libc", EntryPoint = "reboot", SetLastError = true)]
    private static partial int RebootCall(int command);
}
