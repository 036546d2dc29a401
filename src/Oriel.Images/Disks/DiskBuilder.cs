using System.Security.Cryptography;
using System.Text;
using Oriel.Images.Store;
using Oriel.Images.Tools;
using Oriel.Protocol.Layout;

namespace Oriel.Images.Disks;

/// <summary>
/// Makes kernel, initramfs and root disk of an image, without root and without mounting anything. Reasons:
/// docs/decisions/0061-image-disks.md.
/// </summary>
internal static class DiskBuilder
{
    private const string RootFormat = "erofs";

    /// <summary>Any fixed one: disks are told apart by their place, and the same tree makes the same disk.</summary>
    private const string RootUuid = "6f726965-6c00-4000-8000-000000000001";
    private const UnixFileMode ReadOnly = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>
    /// What the start needs and Debian's cloud kernel has not built in: the machine's bus, its disks and network, the two file systems, and
    /// randomness; evdev and button for the power button, by which a driver asks for an orderly end.
    /// </summary>
    private static readonly string[] Modules =
    [
        "virtio_mmio",
        "virtio_blk",
        "virtio_net",
        "erofs",
        "overlay",
        "virtio_rng",
        "evdev",
        "button",
    ];
    private static readonly string[] Directories = ["bin", "dev", "lower", "modules", "proc", "root", "scratch"];

    private static byte[] Init { get; } = ReadInit();

    /// <summary>Changes whenever the same recipe would make other disks.</summary>
    public static string Version { get; } =
        Convert.ToHexStringLower(SHA256.HashData([.. Encoding.ASCII.GetBytes($"disks-1 {string.Join(' ', Modules)}"), .. Init]));

    /// <param name="image">Its tree is complete.</param>
    public static async Task<ImageDisks> BuildAsync(KernelPackage kernel, ImageDirectory image, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(image.Disks);
        await VmLinux.ExtractAsync(kernel.Image, image.Kernel, cancellationToken);
        await WriteInitramfsAsync(kernel, image.Initramfs, image.Disks, cancellationToken);
        await Command.RunAsync(
            MappedNamespace.Wrap("mkfs.erofs", "--quiet", "-T", "0", "-U", RootUuid, image.RootDisk, image.Tree),
            null,
            cancellationToken
        );
        return new ImageDisks(
            kernel.Release,
            await SealAsync(image.Kernel, cancellationToken),
            await SealAsync(image.Initramfs, cancellationToken),
            await SealAsync(image.RootDisk, cancellationToken),
            RootFormat
        );
    }

    private static async Task WriteInitramfsAsync(KernelPackage kernel, string target, string work, CancellationToken cancellationToken)
    {
        var modules = await kernel.ModulesAsync(Modules, work, cancellationToken);
        await using var file = File.Create(target);
        var archive = new CpioWriter(file);
        foreach (var directory in Directories)
        {
            archive.AddDirectory(directory);
        }

        archive.AddFile("init", Init);
        archive.AddFile("bin/busybox", kernel.BusyboxProgram);
        archive.AddFile("modules/load", Encoding.ASCII.GetBytes(string.Concat(modules.Select(module => module.Name + "\n"))));
        foreach (var (name, content) in modules)
        {
            archive.AddFile($"modules/{name}.ko", content);
            File.Delete(Path.Combine(work, name + ".ko"));
        }

        archive.End();
    }

    private static async Task<ImageFile> SealAsync(string path, CancellationToken cancellationToken)
    {
        File.SetUnixFileMode(path, ReadOnly);
        await using var file = File.OpenRead(path);
        return new ImageFile(
            Path.GetFileName(path),
            Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken)),
            file.Length
        );
    }

    private static byte[] ReadInit()
    {
        using var stream = typeof(DiskBuilder).Assembly.GetManifestResourceStream("init")!;
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
