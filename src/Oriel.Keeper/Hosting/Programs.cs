namespace Oriel.Keeper.Hosting;

/// <summary>The programs that a start needs, and the Debian packages that have them (packages.txt).</summary>
internal static class Programs
{
    private static readonly Dictionary<string, string> Packages = new(StringComparer.Ordinal)
    {
        ["cp"] = "coreutils",
        ["crun"] = "crun",
        ["ip"] = "iproute2",
        ["mke2fs"] = "e2fsprogs",
        ["nft"] = "nftables",
        ["nsenter"] = "util-linux",
        ["qemu-system-x86_64"] = "qemu-system-x86",
        ["setpriv"] = "util-linux",
    };

    /// <summary>To be asked before a shell is given the program's name, whose own words would not say what to do.</summary>
    /// <exception cref="InvalidOperationException">It is not there; says what to install.</exception>
    public static void Require(params ReadOnlySpan<string> programs)
    {
        foreach (var program in programs)
        {
            if (!IsThere(program))
            {
                throw new InvalidOperationException(Missing(program));
            }
        }
    }

    public static string Missing(string program) =>
        $"{program} is not installed" + (Packages.TryGetValue(program, out var package) ? $": sudo apt-get install {package}" : "");

    private static bool IsThere(string program) => program.Contains('/')
        ? File.Exists(program)
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Any(folder => File.Exists(Path.Combine(folder, program)));
}
