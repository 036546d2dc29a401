using System.Security.Cryptography;
using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Linux;
using Oriel.Linux.Machine;
using Oriel.Linux.Namespaces;
using Oriel.Protocol;

namespace Oriel.Agent.Configuration;

/// <summary>What makes this guest another than its siblings of the same image: name, ids, zone, keyboard, clock, randomness.</summary>
internal sealed class SystemIdentity(GuestConsole console)
{
    public const string MachineIdPath = "/etc/machine-id";
    private const string OwnBootIdPath = "/run/oriel-boot-id";
    private const uint Readable = GuestRules.DefaultMode,
        ReadOnly = 0x124; // 0444

    public static void Stage(StagedFiles staged, ConfigurationPlan plan)
    {
        staged.AddText("/etc/hostname", plan.Hostname + "\n", Readable, FileOwner.Root);
        staged.AddText("/etc/hosts", Hosts(plan.Hostname), Readable, FileOwner.Root);
        staged.AddText("/etc/resolv.conf", "nameserver 192.168.100.1\n", Readable, FileOwner.Root);
        StageMachineId(staged);
        staged.AddLink("/etc/localtime", $"/usr/share/zoneinfo/{plan.TimeZone}");
        staged.AddText("/etc/timezone", plan.TimeZone + "\n", Readable, FileOwner.Root);
        staged.AddText("/etc/default/keyboard", Keyboard(plan.Layout), Readable, FileOwner.Root);
    }

    /// <exception cref="IOException">The host name is not this and cannot be set.</exception>
    public void ApplyToKernel(ConfigurationPlan plan)
    {
        if (GuestMachine.Hostname() != plan.Hostname)
        {
            GuestMachine.SetHostname(plan.Hostname);
        }

        ApplyToKernel(plan.WallClockUs, plan.Entropy.Span);
    }

    /// <summary>
    /// Another machine id; and another boot id, which a kernel makes once, so that it went into the snapshot: what shows it shows a file
    /// from now on.
    /// </summary>
    /// <exception cref="IOException">They cannot be written.</exception>
    /// <exception cref="LinuxException">The boot id cannot be covered.</exception>
    public static void RenewIds()
    {
        using var staged = new StagedFiles();
        StageMachineId(staged);
        staged.Commit();
        if (!GuestMachine.OwnsKernel())
        {
            return;
        }

        // Into the same file, where this machine went on from a snapshot before: nothing can be mounted over a file that was replaced.
        File.WriteAllText(OwnBootIdPath, Guid.NewGuid() + "\n");
        if (!Mounts.IsMountPoint(BootId.Path))
        {
            File.SetUnixFileMode(OwnBootIdPath, (UnixFileMode)ReadOnly);
            Mounts.Mount(OwnBootIdPath, BootId.Path, null, MountOptions.Bind);
        }
    }

    /// <summary>Clock and randomness, of a kernel of the guest's own.</summary>
    /// <param name="wallClockUs">Since 1970; 0 leaves the clock.</param>
    public void ApplyToKernel(long wallClockUs, ReadOnlySpan<byte> entropy)
    {
        if (!GuestMachine.OwnsKernel())
        {
            return;
        }

        if (wallClockUs > 0)
        {
            GuestMachine.SetClock(wallClockUs);
        }

        if (!entropy.IsEmpty)
        {
            try
            {
                GuestMachine.AddEntropy(entropy);
            }
            catch (LinuxException e)
            {
                console.Write("warn", "identity", e.Message);
            }
        }
    }

    private static void StageMachineId(StagedFiles staged)
    {
        staged.AddText(MachineIdPath, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)) + "\n", ReadOnly, FileOwner.Root);
        staged.AddLink("/var/lib/dbus/machine-id", MachineIdPath);
    }

    private static string Hosts(string hostname) =>
        $"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n";

    private static string Keyboard(KeyboardLayout layout) =>
        $"XKBMODEL=\"pc105\"\nXKBLAYOUT=\"{layout.Layout}\"\nXKBVARIANT=\"{layout.Variant}\"\nXKBOPTIONS=\"\"\nBACKSPACE=\"guess\"\n";
}
