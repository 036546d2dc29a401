using System.Diagnostics;
using Oriel.Linux.Tests.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Firecracker;

/// <summary>
/// An image whose guest is the agent and a shell, without a desktop: it starts in 128 MiB with one processor, so that a slow or nested host
/// can prove a driver. Kernel and initramfs are those of the golden image, and so are the few programs and libraries on its root disk.
/// </summary>
internal sealed class TinyImage : IDisposable
{
    private const UnixFileMode Executable = (UnixFileMode)0b111_101_101;

    private static readonly string[] Programs = ["dash", "env", "cat", "uname", "sleep", "true"];

    /// <summary>What they, the agent and the runtime's cryptography load; not every release has each.</summary>
    private static readonly string[] Libraries =
    [
        "libc.so.6",
        "libm.so.6",
        "libssl.so.3",
        "libcrypto.so.3",
        "libz.so.1",
        "libzstd.so.1",
        "libdl.so.2",
        "libpthread.so.0",
        "librt.so.1",
    ];

    private readonly string _tree;

    private TinyImage(string path)
    {
        Path = path;
        _tree = System.IO.Path.Combine(path, "tree");
    }

    /// <summary>As <c>KeeperSpec.ImagePath</c>.</summary>
    public string Path { get; }

    public static async Task<TinyImage> BuildAsync(CancellationToken cancellationToken)
    {
        var built = new ImageDirectory(KeeperRing.Image);
        Assert.SkipUnless(File.Exists(built.Kernel), $"The image in {KeeperRing.Image} has no disks: its recipe names no kernel.");
        Assert.SkipWhen(Firecracker.Programs.Find("mkfs.erofs") is null, "Not installed: mkfs.erofs (Debian: erofs-utils).");
        var agent = System.IO.Path.Combine(Environment.GetEnvironmentVariable("ORIEL_TEST_APP") ?? "", "oriel-agent");
        Assert.SkipUnless(File.Exists(agent), "ORIEL_TEST_APP names no folder with an oriel-agent.");
        var image = new TinyImage(Directory.CreateTempSubdirectory("oriel-tiny-").FullName);
        var tiny = new ImageDirectory(image.Path);
        Directory.CreateDirectory(tiny.Disks);
        File.CreateSymbolicLink(tiny.Kernel, built.Kernel);
        File.CreateSymbolicLink(tiny.Initramfs, built.Initramfs);

        image.Plant(agent);
        await image.PackAsync(cancellationToken);
        return image;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private void Plant(string agent)
    {
        var rootfs = new ImageDirectory(KeeperRing.Image).Tree;
        foreach (
            var directory in (string[])
                [
                    "dev",
                    "etc",
                    "home",
                    "proc",
                    "root",
                    "run",
                    "sys",
                    "tmp",
                    "usr/bin",
                    "usr/lib/oriel",
                    "usr/lib/x86_64-linux-gnu",
                    "usr/lib64",
                    "var",
                ]
        )
        {
            Directory.CreateDirectory(In(directory));
        }

        foreach (var merged in (string[])["bin", "lib", "lib64"])
        {
            File.CreateSymbolicLink(In(merged), "usr/" + merged);
        }

        foreach (var program in Programs)
        {
            Copy(System.IO.Path.Combine(rootfs, "usr/bin", program), "usr/bin/" + program, Executable);
        }

        foreach (
            var library in Libraries.Where(library => File.Exists(System.IO.Path.Combine(rootfs, "usr/lib/x86_64-linux-gnu", library)))
        )
        {
            Copy(System.IO.Path.Combine(rootfs, "usr/lib/x86_64-linux-gnu", library), "usr/lib/x86_64-linux-gnu/" + library, Executable);
        }

        File.CreateSymbolicLink(In("usr/bin/sh"), "dash");
        Copy(System.IO.Path.Combine(rootfs, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), "usr/lib64/ld-linux-x86-64.so.2", Executable);
        Copy(System.IO.Path.Combine(rootfs, "usr/share/zoneinfo/UTC"), "usr/share/zoneinfo/UTC", Executable);
        Copy(agent, "usr/lib/oriel/agent", Executable);
        Write("usr/lib/oriel/oriel-agent", "#!/bin/sh\nORIEL_HEADLESS=1 exec /usr/lib/oriel/agent\n", Executable);
        // Without PAM; the agent then asks a login shell.
        Write("usr/bin/su", "#!/bin/sh\nexit 1\n", Executable);
        Write("usr/share/X11/xkb/rules/evdev.lst", "! layout\n  us  English (US)\n");
        Write("etc/profile", "for script in /etc/profile.d/*.sh; do . \"$script\"; done\n");
        Write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n");
        Write("etc/group", "root:x:0:\nuser:x:1000:\n");
        Write("etc/machine-id", "");
    }

    private async Task PackAsync(CancellationToken cancellationToken)
    {
        // Owned by root in the guest, whoever built it.
        var start = new ProcessStartInfo(
            Firecracker.Programs.Find("mkfs.erofs")!,
            ["--quiet", "--all-root", new ImageDirectory(Path).RootDisk, _tree]
        )
        {
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var said = await process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        Assert.True(process.ExitCode == 0, said);
        Directory.Delete(_tree, recursive: true);
    }

    private string In(string path) => System.IO.Path.Combine(_tree, path);

    private void Copy(string from, string to, UnixFileMode mode)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(In(to))!);
        File.Copy(from, In(to));
        File.SetUnixFileMode(In(to), mode);
    }

    private void Write(string to, string text, UnixFileMode mode = (UnixFileMode)0b110_100_100)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(In(to))!);
        File.WriteAllText(In(to), text);
        File.SetUnixFileMode(In(to), mode);
    }
}
