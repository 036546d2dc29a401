using Oriel.Linux.Calls;

namespace Oriel.Linux.Machine;

/// <summary>What an init does to its machine: name, clock, randomness. All need the capabilities of the guest's root.</summary>
public static unsafe class GuestMachine
{
    private const nuint RndAddEntropy = 0x40085203,
        RndReseed = 0x5207;

    public static string Hostname() => File.ReadAllText("/proc/sys/kernel/hostname").Trim();

    /// <exception cref="LinuxException">EPERM where the keeper owns the name.</exception>
    public static void SetHostname(string name) =>
        LinuxException.ThrowIfNegative(MachineCalls.SetHostName(name, (nuint)name.Length), "sethostname", name);

    /// <exception cref="LinuxException">EPERM where the clock is the host's.</exception>
    public static void SetClock(long microsecondsSince1970) =>
        LinuxException.ThrowIfNegative(
            ClockCalls.SetTime(ClockCalls.RealTime, ClockCalls.Timespec.FromMicroseconds(microsecondsSince1970)),
            "clock_settime"
        );

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
            LinuxException.ThrowIfNegative(
                DescriptorCalls.Ioctl((int)random.DangerousGetHandle(), RndAddEntropy, (nint)p),
                "ioctl",
                "RNDADDENTROPY"
            );
        }

        LinuxException.ThrowIfNegative(DescriptorCalls.Ioctl((int)random.DangerousGetHandle(), RndReseed, 0), "ioctl", "RNDRESEEDCRNG");
    }

    /// <summary>True when this process is in the first user namespace, so that kernel, clock and name may be its own.</summary>
    public static bool OwnsKernel() =>
        File.ReadAllText("/proc/self/uid_map").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is ["0", "0", "4294967295"];

    /// <summary>All dirty pages of all file systems to their disks (sync(2)).</summary>
    public static void Sync() => MachineCalls.Sync();

    /// <summary>Ends a guest that has its own kernel (reboot(2), RB_POWER_OFF). In a PID namespace it kills the namespace's init.</summary>
    public static void PowerOff() => _ = MachineCalls.Reboot(MachineCalls.PowerOff);

    /// <summary>The same by a reset (RB_AUTOBOOT), for a VMM that knows no switching off and ends at a reset.</summary>
    public static void Reset() => _ = MachineCalls.Reboot(MachineCalls.AutoBoot);
}
