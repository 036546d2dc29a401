namespace Oriel.Linux.Processes;

/// <summary>The host's programs that Oriel starts, and the Debian packages that have them (packages.txt).</summary>
public static class Programs
{
    private static readonly Dictionary<string, string> Packages = new(StringComparer.Ordinal)
    {
        ["cp"] = "coreutils",
        ["crun"] = "crun",
        ["ip"] = "iproute2",
        ["mke2fs"] = "e2fsprogs",
        ["mmdebstrap"] = "mmdebstrap",
        ["newgidmap"] = "uidmap",
        ["newuidmap"] = "uidmap",
        ["nft"] = "nftables",
        ["nsenter"] = "util-linux",
        ["qemu-system-x86_64"] = "qemu-system-x86",
        ["setpriv"] = "util-linux",
        ["setsid"] = "util-linux",
        ["unshare"] = "util-linux",
    };

    /// <summary>Folders, as the environment has them.</summary>
    public static string SearchPath => Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>To be asked before a shell or another program is given the program's name, whose own words would not say what to do.</summary>
    /// <exception cref="InvalidOperationException">It is not there; says what to install.</exception>
    public static void Require(params IEnumerable<string> programs)
    {
        if (Problem(SearchPath, programs) is { } problem)
        {
            throw new InvalidOperationException(problem);
        }
    }

    /// <param name="searchPath">As <see cref="SearchPath"/>.</param>
    /// <param name="programs">Names, or paths.</param>
    /// <returns>Which are not there, and what to install; null when all are.</returns>
    public static string? Problem(string searchPath, params IEnumerable<string> programs)
    {
        var folders = searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries);
        string[] missing = [.. programs.Where(program => !(program.Contains('/') ? File.Exists(program) : folders.Any(folder => File.Exists(Path.Combine(folder, program)))))];
        return missing.Length == 0 ? null : Missing(missing);
    }

    /// <summary>In words, with what to install.</summary>
    public static string Missing(params IReadOnlyList<string> programs)
    {
        var which = programs is [var one] ? $"{one} is" : $"{string.Join(", ", programs.SkipLast(1))} and {programs[^1]} are";
        string[] packages = [.. programs.Select(program => Packages.GetValueOrDefault(program)).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        return $"{which} not installed" + (packages.Length > 0 ? $": sudo apt-get install {string.Join(' ', packages)}" : "");
    }
}
