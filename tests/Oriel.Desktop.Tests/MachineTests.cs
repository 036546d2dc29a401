using System.Globalization;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>A class of the ring's tests whose desktops are virtual machines; by emulation where this host has no KVM.</summary>
public abstract class MachineTests(Ring ring) : RingTests(ring)
{
    /// <summary>Prints what no two machines may share, a line each: machine id, boot id, the X cookie's digest, randomness.</summary>
    private protected const string Identity = """
        cat /etc/machine-id /proc/sys/kernel/random/boot_id
        sha256sum < "$XAUTHORITY"
        head -c 16 /dev/urandom | sha256sum
        """;

    private protected void SkipUnlessMachinesRun()
    {
        SkipUnlessPrepared();
        Assert.SkipUnless(File.Exists("/usr/bin/qemu-system-x86_64"), "qemu-system-x86_64 is not installed");
        Assert.SkipUnless(
            File.Exists("/dev/net/tun") && (File.GetUnixFileMode("/dev/net/tun") & UnixFileMode.OtherWrite) != 0,
            "/dev/net/tun is not open to every user here"
        );
    }

    /// <summary>How long each step of its creation took, for whoever reads the run.</summary>
    private protected static void Tell(string what, JsonObject desktop) =>
        TestContext.Current.SendDiagnosticMessage(
            $"Steps of the {what}: "
                + string.Join(
                    ", ",
                    desktop["steps"]!
                        .AsArray()
                        .Select(step =>
                            string.Create(
                                CultureInfo.InvariantCulture,
                                $"{step!["name"]} {step["elapsedMs"]!.GetValue<double>() / 1000:0.0} s"
                            )
                        )
                )
        );
}
