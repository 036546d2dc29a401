using System.Globalization;
using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Network;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Drivers.Qemu;

/// <summary>What the guest's memory is.</summary>
internal enum QemuMemory
{
    /// <summary>The process's own; written with the devices' state.</summary>
    Own,

    /// <summary>The file <see cref="VmDirectory.Memory"/>, which is left as a snapshot's; the devices' state is without it.</summary>
    Kept,

    /// <summary>What other machines have as well, each with its own changes.</summary>
    Shared,
}

/// <param name="MemoryMib">Of the guest.</param>
/// <param name="TscKilohertz">The rate of this host's time stamp counter; needed without KVM.</param>
/// <param name="IsRestored">It waits for a snapshot's state instead of booting.</param>
internal sealed record QemuMachineSpec(
    bool Kvm,
    int Vcpus,
    long MemoryMib,
    long? TscKilohertz,
    bool IsRestored = false,
    QemuMemory Memory = QemuMemory.Own
);

/// <summary>QEMU's command line for one desktop. All paths are relative to <see cref="VmDirectory"/>.</summary>
internal static class QemuMachine
{
    public const string Program = "qemu-system-x86_64";
    public const string Socket = $"{VmRoot.Own}/qmp.sock";

    /// <summary>
    /// QEMU's own small firmware for this kind of machine, in its data directory. SeaBIOS, which some distributions make the default, hangs
    /// in Debian 13 (1.16.3) before the first line where no option ROMs are loaded.
    /// </summary>
    public const string Firmware = "qboot.rom";

    /// <summary>
    /// What a guest under emulation is spared, where each instruction costs ten: mitigations against other users of a processor that is not
    /// real, clearing of pages, modules that label files nobody labels.
    /// </summary>
    /// <remarks>
    /// The kernel changes its own code while it comes up, and an emulated processor that runs such code at that moment may keep the old
    /// one: a panic in one start of eighty, or worse, a hang. So it comes up with one processor; the initramfs switches the others on.
    /// </remarks>
    private const string EmulatedArguments =
        "maxcpus=1 mitigations=off nokaslr init_on_alloc=0 apparmor=0 audit=0 rcupdate.rcu_expedited=1";

    public static IReadOnlyList<string> Arguments(QemuMachineSpec spec) =>
        [
            "-name",
            "oriel",
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-monitor",
            "none",
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            // A guest under KVM has KVM's clock; one without it starts its timer by PIT.
            "-M",
            "microvm,acpi=on,pcie=off,isa-serial=on,x-option-roms=off,rtc=off,memory-backend=memory" + (spec.Kvm ? ",pit=off,pic=off" : ""),
            "-accel",
            spec.Kvm ? "kvm" : "tcg,thread=multi",
            "-cpu",
            spec.Kvm ? "host" : "max",
            "-smp",
            Number(spec.Vcpus),
            "-m",
            Number(spec.MemoryMib),
            "-object",
            $"{Memory(spec.Memory)},id=memory,size={Number(spec.MemoryMib)}M",
            "-bios",
            Firmware,
            "-kernel",
            VmDirectory.Kernel,
            "-initrd",
            VmDirectory.Initramfs,
            "-append",
            KernelArguments(spec),
            "-chardev",
            "stdio,id=console,signal=off",
            "-serial",
            "chardev:console",
            // The guest finds them in this order. Without buses named: QEMU gives them from the top, and the interrupts of the lowest never
            // came.
            .. Disk(VmDirectory.Root, "readonly=on"),
            // The host's page cache is as lasting as a scratch disk need be. When this host's disk is full, the machine stops: see
            // QemuHalts.
            .. Disk(VmDirectory.Scratch, "cache=unsafe,discard=unmap,werror=enospc"),
            .. Disk(VmDirectory.Config, "readonly=on"),
            "-netdev",
            $"tap,id=net,ifname={Firewall.Link},script=no,downscript=no",
            "-device",
            $"virtio-net-device,netdev=net,mac={GatewayLink.GuestMac}",
            "-object",
            "rng-random,id=rng,filename=/dev/urandom",
            "-device",
            "virtio-rng-device,rng=rng",
            "-qmp",
            $"unix:{Socket},server=on,wait=off",
            .. spec.IsRestored ? (string[])["-incoming", "defer"] : [],
        ];

    /// <summary>
    /// Without KVM the guest would find out the rate of its time stamp counter with the PIT, which goes wrong when the host is busy: one
    /// such start in two then hung for want of a clock. Told the rate, none of them did.
    /// </summary>
    private static string KernelArguments(QemuMachineSpec spec)
    {
        var common = $"console=ttyS0 {BootArguments.Common}";
        return spec.Kvm ? common : $"{common} tsc=reliable tsc_early_khz={Number(spec.TscKilohertz!.Value)} {EmulatedArguments}";
    }

    private static string Memory(QemuMemory memory) =>
        memory switch
        {
            QemuMemory.Kept => $"memory-backend-file,mem-path={VmDirectory.Memory},share=on",
            QemuMemory.Shared => $"memory-backend-file,mem-path=/proc/self/fd/{KeeperSnapshot.SharedMemoryDescriptor},share=off",
            _ => "memory-backend-ram",
        };

    private static string[] Disk(string name, string options) =>
        ["-drive", $"id={name},file={name},format=raw,if=none,{options}", "-device", $"virtio-blk-device,drive={name}"];

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
