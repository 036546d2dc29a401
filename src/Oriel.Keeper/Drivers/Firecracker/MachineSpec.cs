using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Keeper.Drivers.Vm;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>
/// The names by which the VMM knows its files, in the directory that it is started in. They are the same for every desktop and they are
/// relative, because a snapshot bakes them in and a restored machine opens them again, from its own directory.
/// </summary>
internal static class MachineFiles
{
    public const string Socket = $"{VmRoot.Own}/api.sock";
    public const string Log = "vmm.log";
    public const string Metrics = "vmm.metrics";
    public const string Kernel = VmDirectory.Kernel;
    public const string Initramfs = VmDirectory.Initramfs;

    /// <summary>The snapshot that is loaded.</summary>
    public const string State = VmDirectory.State;
    public const string Memory = VmDirectory.Memory;

    /// <summary>Where snapshots of this machine are written.</summary>
    public const string Snapshots = VmDirectory.Snapshots;
}

/// <param name="Id">Also the file's name in the VMM's directory.</param>
internal sealed record MachineDrive(string Id, bool ReadOnly);

/// <summary>What a machine is made of. Everything but the size is the same for all desktops of an image.</summary>
/// <param name="VcpuCount">1 to 32.</param>
/// <param name="Drives">In the order in which the guest finds them: vda, vdb and so on.</param>
/// <param name="BootArgs">The whole command line, see <see cref="KernelArguments"/>.</param>
/// <param name="Tap">In the VMM's network namespace.</param>
/// <param name="CpuTemplate">What guests of different hosts have in common; null: all that this host has.</param>
/// <param name="Vsock">Null: none. Oriel's own link is TCP over the tap.</param>
internal sealed record MachineSpec(
    int VcpuCount,
    int MemoryMib,
    IReadOnlyList<MachineDrive> Drives,
    string BootArgs,
    string Tap,
    string GuestMac,
    bool HasInitramfs = true,
    CpuConfig? CpuTemplate = null,
    Vsock? Vsock = null
);

/// <param name="ResumeVm">False: it stays paused, so that it can be inspected first.</param>
/// <param name="Tap">Null: the tap has the name that the snapshot knows.</param>
/// <param name="VsockPath">Null: there is none, or it has the path that the snapshot knows.</param>
internal sealed record RestoreSpec(bool ResumeVm = true, string? Tap = null, string? VsockPath = null);

/// <summary>The part of the guest kernel's command line that is the VMM's.</summary>
internal static class KernelArguments
{
    /// <summary>
    /// <c>reboot=k panic=1 oriel_end=reboot</c>: a guest that reboots or panics ends its VMM, which has no way to switch off; so the agent
    /// and the initramfs end by a reset. <c>pci=off</c>: there is none. The i8042 words spare probing for a mouse. <c>i8042.nopnp</c> must
    /// not be among them: by the VMM's ACPI (hardware reduced, since 1.8) the keyboard has an interrupt only where its PNP device is
    /// claimed, and without one Ctrl-Alt-Del, the only way to ask a guest to end, does nothing.
    /// </summary>
    private const string Always = "reboot=k panic=1 oriel_end=reboot pci=off i8042.noaux i8042.nomux i8042.dumbkbd";

    /// <param name="common">What the image's guest wants whatever the VMM is; of a word that is in both, the VMM's counts.</param>
    /// <param name="serial">False in production: every write to the serial port leaves the guest, and nothing bounds how often.</param>
    public static string Compose(string common, bool serial) =>
        $"{common} {Always} {(serial ? "8250.nr_uarts=1 console=ttyS0" : "8250.nr_uarts=0")}".TrimStart();
}
