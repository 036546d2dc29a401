namespace Oriel.Desktops.Node;

/// <summary>
/// What this node's desktops run in, and what that can do and costs. Nothing else asks for a driver's name to decide something.
/// </summary>
/// <param name="Name">As the keeper knows it, and as the API shows it.</param>
/// <param name="Isolation"><see cref="Container"/>'s or <see cref="MicroVm"/>.</param>
/// <param name="Accelerator">What runs a virtual machine's instructions: <c>kvm</c> or <c>tcg</c>; null for a container.</param>
/// <param name="NeedsDisks">It starts from the image's disks, not from its tree.</param>
/// <param name="TimeScale">How many times as long as on hardware a start may take: deadlines are multiplied by it.</param>
/// <param name="Vmm">Program of the VMM whose machines can be kept and restored; null where they cannot.</param>
/// <param name="OpensMemoryForWriting">It does so even with a file that it maps privately: what desktops share must be sealed.</param>
public sealed record DesktopDriver(
    string Name,
    string Isolation,
    string? Accelerator,
    bool NeedsDisks,
    double TimeScale,
    string? Vmm = null,
    bool OpensMemoryForWriting = false
)
{
    /// <summary>A kernel of the desktop's own.</summary>
    public const string MicroVm = "microvm";

    private const string SharedKernel = "container";

    public static DesktopDriver Container { get; } = new("container", SharedKernel, null, NeedsDisks: false, TimeScale: 1);

    /// <summary>Whether a running desktop can be copied.</summary>
    public bool CanFork => Vmm is not null;

    /// <summary>It needs KVM.</summary>
    public static DesktopDriver Firecracker(string program) => new("firecracker", MicroVm, "kvm", NeedsDisks: true, TimeScale: 1, program);

    /// <summary>By emulation a start takes about ten times as long; the deadlines have room for the half of that.</summary>
    public static DesktopDriver Qemu(string program, bool kvm) =>
        new("qemu", MicroVm, kvm ? "kvm" : "tcg", NeedsDisks: true, kvm ? 1 : 5, program, OpensMemoryForWriting: true);

    /// <summary>A desktop has a disk of its own, whose size holds; else it writes to the server's, as much as fits.</summary>
    public bool HasScratchDisk => HasScratchDiskOf(Name);

    /// <summary>Of a desktop that an earlier server made, with whatever driver.</summary>
    public static bool HasScratchDiskOf(string driver) => IsolationOf(driver) == MicroVm;

    /// <summary>Of a desktop that an earlier server made, with whatever driver.</summary>
    public static string IsolationOf(string driver) => driver == Container.Name ? SharedKernel : MicroVm;
}
