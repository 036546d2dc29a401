using Oriel.Linux.Tests.Firecracker;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>
/// A folder with an image's disks (as far as a stand-in for a VMM looks at them) and with the programs that a keeper finds on its PATH: the
/// machine's own, unless a test takes one away or puts another in its place.
/// </summary>
internal sealed class StandInMachine : IDisposable
{
    public const UnixFileMode EveryoneRuns = (UnixFileMode)0b111_101_101;
    private static readonly string[] Tools =
    [
        "ip",
        "nft",
        "nsenter",
        "crun",
        "mke2fs",
        "setpriv",
        "unshare",
        "mount",
        "cp",
        "perl",
        "sh",
        "qemu-system-x86_64",
        "cat",
    ];

    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-vm-").FullName;

    public StandInMachine()
    {
        File.SetUnixFileMode(_directory, EveryoneRuns);
        Directory.CreateDirectory(Disks);
        foreach (var disk in (string[])["vmlinux", "initramfs", "root.erofs"])
        {
            var path = Path.Combine(Disks, disk);
            File.WriteAllText(path, disk);
            // As the image's build leaves them.
            File.SetUnixFileMode(path, (UnixFileMode)0b100_100_100);
        }

        Directory.CreateDirectory(Path.Combine(_directory, "bin"));
        foreach (var tool in Tools)
        {
            if (
                ((string[])["/usr/sbin", "/usr/bin", "/sbin", "/bin"])
                    .Select(folder => Path.Combine(folder, tool))
                    .FirstOrDefault(File.Exists) is
                { } real
            )
            {
                File.CreateSymbolicLink(ProgramOf(tool), real);
            }
        }

        // A link would not do: a stand-in is run as a user who may not look into the folder of the tests.
        Put("firecracker", File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Firecracker", "firecracker.pl")));
    }

    public string Image => Path.Combine(_directory, "image");

    public string Disks => new ImageDirectory(Image).Disks;

    public void Take(string tool) => File.Delete(ProgramOf(tool));

    /// <summary>Something else answers to the tool's name.</summary>
    public void Put(string tool, string script)
    {
        Take(tool);
        File.WriteAllText(ProgramOf(tool), script);
        File.SetUnixFileMode(ProgramOf(tool), EveryoneRuns);
    }

    /// <param name="driver"><c>container</c> starts guest.pl over the ring's root file system; the others start their VMM with this
    /// image.</param>
    /// <param name="before">As <see cref="TestKeeper.StartAsync"/> has it, and so <paramref name="environment"/>.</param>
    public Task<TestKeeper> StartAsync(string driver, string before = "true", string environment = "")
    {
        if (driver != "container")
        {
            TinyGuestRing.RequireTap();
        }

        return TestKeeper.StartAsync(
            untilRunning: false,
            limits: new KeeperLimits(64L << 20, 1, 0, null, DiskBytes: 64L << 20),
            change: spec => driver == "container" ? spec : spec with { Driver = driver, Accelerator = "tcg", ImagePath = Image },
            environment: $"PATH={Path.Combine(_directory, "bin")} {environment}",
            before: before
        );
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string ProgramOf(string tool) => Path.Combine(_directory, "bin", tool);
}
