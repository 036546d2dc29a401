using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Oriel.Linux.Processes;

/// <summary>The host's programs that Oriel starts, and the Debian packages that have them (packages.txt).</summary>
public static class Programs
{
    public static readonly IReadOnlyDictionary<string, string> Packages = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["bash"] = "bash",
        ["cat"] = "coreutils",
        ["chroot"] = "coreutils",
        ["cp"] = "coreutils",
        ["crun"] = "crun",
        ["env"] = "coreutils",
        ["grep"] = "grep",
        ["id"] = "coreutils",
        ["install"] = "coreutils",
        ["ip"] = "iproute2",
        ["ln"] = "coreutils",
        ["mkdir"] = "coreutils",
        ["mke2fs"] = "e2fsprogs",
        ["mkfs.erofs"] = "erofs-utils",
        ["mmdebstrap"] = "mmdebstrap",
        ["mount"] = "mount",
        ["newgidmap"] = "uidmap",
        ["newuidmap"] = "uidmap",
        ["nft"] = "nftables",
        ["nsenter"] = "util-linux",
        ["qemu-system-x86_64"] = "qemu-system-x86",
        ["rm"] = "coreutils",
        ["setpriv"] = "util-linux",
        ["setsid"] = "util-linux",
        ["sh"] = "dash",
        ["tar"] = "tar",
        ["timeout"] = "coreutils",
        ["umount"] = "mount",
        ["unshare"] = "util-linux",
        ["xz"] = "xz-utils",
        ["zstd"] = "zstd",
    };

    /// <summary>Where Debian has programs for administrators, which an ordinary user's PATH lacks.</summary>
    public static readonly IReadOnlyList<string> SystemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    /// <summary>Folders, as the environment has them.</summary>
    public static string SearchPath => Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>The system folders come last in this process's PATH from now on, and in that of the processes it starts.</summary>
    public static void AddSystemFolders()
    {
        var folders = SearchPath.Split(':', StringSplitOptions.RemoveEmptyEntries);
        Environment.SetEnvironmentVariable("PATH", string.Join(':', folders.Union(SystemFolders)));
    }

    /// <summary>
    /// To be asked before a shell or another program is given the program's name, whose own words would not say what to do.
    /// </summary>
    /// <exception cref="ProgramException">It is not there; says what to install.</exception>
    public static void Require(params IEnumerable<string> programs)
    {
        if (Problem(SearchPath, programs) is { } problem)
        {
            throw new ProgramException(problem);
        }
    }

    /// <summary>Where a program is: absolute, and the program itself rather than a link to it.</summary>
    /// <param name="program">A name, or a path.</param>
    /// <exception cref="ProgramException">It is not there; says what to install.</exception>
    public static string Locate(string program)
    {
        Require(program);
        var path = program.Contains('/')
            ? Path.GetFullPath(program)
            : Path.Combine(Find(program, SearchPath.Split(':', StringSplitOptions.RemoveEmptyEntries))!, program);
        return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
    }

    /// <summary>For one that outlives the call; any other is a <see cref="HostProgram"/>.</summary>
    /// <exception cref="ProgramException">It is not there or cannot be started; says what to do where that is known.</exception>
    public static Process Start(ProcessStartInfo info)
    {
        try
        {
            return Process.Start(info)!;
        }
        catch (Win32Exception e)
        {
            var why = Marshal.GetPInvokeErrorMessage(e.NativeErrorCode).ToLowerInvariant();
            throw new ProgramException(Problem(SearchPath, info.FileName) ?? $"{info.FileName} cannot be started: {why}", e);
        }
    }

    /// <param name="searchPath">As <see cref="SearchPath"/>.</param>
    /// <param name="programs">Names, or paths.</param>
    /// <returns>Which are not there, and what to do; null when all are.</returns>
    public static string? Problem(string searchPath, params IEnumerable<string> programs) => Problem(searchPath, SystemFolders, programs);

    /// <param name="system">Folders in which a program is installed, though not found where they are not in the search path.</param>
    public static string? Problem(string searchPath, IReadOnlyList<string> system, IEnumerable<string> programs)
    {
        var folders = searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries);
        string[] missing =
        [
            .. programs.Where(program => !(program.Contains('/') ? File.Exists(program) : Find(program, folders) is not null)),
        ];
        return missing.Length == 0 ? null : Missing(missing, system);
    }

    private static string Missing(IReadOnlyList<string> programs, IReadOnlyList<string> system)
    {
        var hidden = programs.ToLookup(program => program.Contains('/') ? null : Find(program, system));
        string[] absent = [.. hidden[null]];
        var words = new List<string>();
        var cures = new List<string>();
        if (absent.Length > 0)
        {
            words.Add($"{List(absent)} not installed");
            string[] packages =
            [
                .. absent.Select(program => Packages.GetValueOrDefault(program)).OfType<string>().Distinct().Order(StringComparer.Ordinal),
            ];
            if (packages.Length > 0)
            {
                cures.Add($"sudo apt-get install {string.Join(' ', packages)}");
            }
        }

        foreach (var folder in hidden.Where(group => group.Key is not null))
        {
            words.Add($"{List([.. folder])} in {folder.Key}, which PATH lacks");
            cures.Add($"export PATH=$PATH:{folder.Key}");
        }

        return string.Join("; ", words) + (cures.Count > 0 ? ": " + string.Join("; ", cures) : "");
    }

    private static string List(string[] programs) =>
        programs is [var one] ? $"{one} is" : $"{string.Join(", ", programs.SkipLast(1))} and {programs[^1]} are";

    private static string? Find(string program, IEnumerable<string> folders) =>
        folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, program)));
}
