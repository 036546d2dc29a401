using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>What the tests of this folder need from the machine; a test that cannot have it is skipped with the reason.</summary>
internal static class KeeperRing
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static readonly string[] Programs = ["unshare", "newuidmap", "setsid", "nsenter", "ip", "nft", "crun"];

    /// <summary>A directory with a rootfs in it that has perl.</summary>
    public static string Image { get; } =
        Path.GetDirectoryName(Environment.GetEnvironmentVariable("ORIEL_TEST_ROOTFS") ?? "/var/lib/oriel/dev/rootfs")!;

    public static string GuestScript { get; } = Path.Combine(AppContext.BaseDirectory, "Keeper", "guest.pl");

    public static string KeeperPath { get; } = FindKeeper();

    public static void Require()
    {
        if (Environment.UserName == "root")
        {
            Assert.Skip("Keepers are tested as an ordinary user.");
        }

        if (!File.Exists(Path.Combine(new ImageDirectory(Image).Tree, "usr/bin/perl")))
        {
            Assert.Skip($"No guest file system in {Image}; ORIEL_TEST_ROOTFS names one.");
        }

        var missing = Programs.Where(program =>
            !((string[])["/usr/bin", "/usr/sbin", "/bin", "/sbin"]).Any(path => File.Exists(Path.Combine(path, program)))
        );
        if (string.Join(", ", missing) is { Length: > 0 } names)
        {
            Assert.Skip($"Not installed: {names}.");
        }

        if (!File.Exists(KeeperPath))
        {
            Assert.Skip($"No keeper at {KeeperPath}; ORIEL_TEST_APP names a folder with one.");
        }
    }

    private static string FindKeeper()
    {
        if (Environment.GetEnvironmentVariable("ORIEL_TEST_APP") is { } app)
        {
            return Path.Combine(app, "oriel-keeper");
        }

        // artifacts/bin/Oriel.Linux.Tests/debug/ -> artifacts/bin/Oriel.Keeper/debug_linux-x64/
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(own.Parent!.Parent!.FullName, "Oriel.Keeper", own.Name + "_linux-x64", "oriel-keeper");
    }
}
