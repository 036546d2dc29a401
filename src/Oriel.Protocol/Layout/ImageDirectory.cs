namespace Oriel.Protocol.Layout;

/// <summary>
/// The directory of one golden image, in <see cref="DataLayout.Images"/>. The build writes it whole; keepers mount what is in it and never
/// write to it.
/// </summary>
/// <param name="Path">Named by the 64 hex digits of the image's digest.</param>
public sealed record ImageDirectory(string Path)
{
    /// <summary>What the image is. Written last by the build, and again with the outcome of its boot test.</summary>
    public string Manifest => PathOf("manifest.json");

    /// <summary>The tree of files, which a container has as its lower layer. Owned by subordinate user ids.</summary>
    public string Tree => PathOf("rootfs");

    /// <summary>The same for virtual machines; not there in an image whose recipe names no kernel.</summary>
    public string Disks => PathOf("disks");

    /// <summary>An ELF kernel (0444).</summary>
    public string Kernel => System.IO.Path.Combine(Disks, "vmlinux");

    /// <summary>A cpio archive (0444).</summary>
    public string Initramfs => System.IO.Path.Combine(Disks, "initramfs");

    /// <summary>The tree as a read-only file system (0444).</summary>
    public string RootDisk => System.IO.Path.Combine(Disks, "root.erofs");

    /// <summary>Machines that were saved at the barrier, a directory for each. Written by servers and their keepers.</summary>
    public string Snapshots => PathOf("snapshots");

    public override string ToString() => Path;

    private string PathOf(string name) => System.IO.Path.Combine(Path, name);
}
