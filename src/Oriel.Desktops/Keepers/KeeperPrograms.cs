using Oriel.Desktops.Node;
using Oriel.Linux.Processes;

namespace Oriel.Desktops.Keepers;

/// <summary>The host's programs that a keeper is started with and that it uses.</summary>
public static class KeeperPrograms
{
    /// <summary>unshare itself starts the last two, and tells of their want in words that name no package.</summary>
    private static readonly string[] ForItsStart = ["setsid", "unshare", "newuidmap", "newgidmap"];

    private static readonly string[] ForContainers = ["ip", "nft", "nsenter", "crun"];

    private static readonly string[] ForMachines = ["ip", "nft", "mke2fs", "setpriv", "cp"];

    /// <summary>To be asked before each start; what the keeper itself uses it asks for where it does.</summary>
    /// <exception cref="KeeperLaunchException">One is not there; says what to install.</exception>
    public static void Require()
    {
        if (Programs.Problem(Programs.SearchPath, ForItsStart) is { } problem)
        {
            throw new KeeperLaunchException(problem);
        }
    }

    /// <summary>Of all that desktops of the driver need, beside its VMM.</summary>
    /// <param name="searchPath">Folders, as PATH has them.</param>
    /// <param name="system">See <see cref="Programs.SystemFolders"/>, which is what null stands for.</param>
    /// <returns>Which are not there, and what to do; null when all are.</returns>
    public static string? Problem(DesktopDriver driver, string searchPath, IReadOnlyList<string>? system = null) =>
        Programs.Problem(
            searchPath,
            system ?? Programs.SystemFolders,
            [.. ForItsStart, .. driver.HasScratchDisk ? ForMachines : ForContainers]
        );
}
