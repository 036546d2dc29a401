using System.Text.Json.Serialization;

namespace Oriel.Images.Store;

/// <summary>
/// The image as disks for virtual machines, in the folder <c>disks</c> beside its rootfs. Made with the image, never written to afterwards.
/// </summary>
/// <param name="KernelRelease">As <c>uname -r</c> tells it.</param>
/// <param name="Kernel">An ELF vmlinux, which QEMU and Firecracker start by PVH.</param>
/// <param name="Initramfs">A cpio archive (newc, uncompressed).</param>
/// <param name="Root">The rootfs as a file system of <paramref name="RootFormat"/>; nothing opens it for writing.</param>
/// <param name="RootFormat"><c>erofs</c>.</param>
public sealed record ImageDisks(string KernelRelease, ImageFile Kernel, ImageFile Initramfs, ImageFile Root, string RootFormat)
{
    /// <summary>Bytes, of all of them.</summary>
    [JsonIgnore]
    public long Size => All.Sum(file => file.Size);

    internal IReadOnlyList<ImageFile> All => [Kernel, Initramfs, Root];
}

/// <param name="Name">In the folder of disks.</param>
/// <param name="Sha256">64 hex digits.</param>
/// <param name="Size">Bytes.</param>
public sealed record ImageFile(string Name, string Sha256, long Size);
