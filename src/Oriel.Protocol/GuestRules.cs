using System.Text;

namespace Oriel.Protocol;

/// <summary>
/// What a guest takes of files, variables and keys. The server refuses by it what is asked for, and the agent what it is sent: one rule,
/// two gates.
/// </summary>
public static class GuestRules
{
    public const int MaxFiles = 1000;

    /// <summary>Of all files that are configured together; larger ones are put once the desktop is ready.</summary>
    public const long MaxFileBytes = 32L * 1024 * 1024;

    public const int MaxVariables = 500;
    public const int MaxVariableNameLength = 256;
    public const int MaxVariableLength = 32 * 1024;

    /// <summary>Of names and values together, in UTF-8, each with the two bytes that stand around it.</summary>
    public const int MaxEnvironmentBytes = 96 * 1024;

    public const int MaxTrusted = 50;

    /// <summary>Of one certificate, as PEM.</summary>
    public const int MaxTrustedBytes = 64 * 1024;

    public const int MaxUrlLength = 2048;
    public const int MaxEntropyBytes = 512;

    /// <summary>Of an agent's key and of an egress key.</summary>
    public const int KeyBytes = 32;

    /// <summary>A file's mode, where none is asked for: 0644.</summary>
    public const uint DefaultMode = 0x1A4;

    /// <summary>A directory's mode, where none is asked for: 0755.</summary>
    public const uint DefaultDirectoryMode = 0x1ED;

    /// <summary>How far below a path files are looked for, copied, packed and removed.</summary>
    public const int MaxTreeDepth = 500;

    /// <summary>In one archive.</summary>
    public const int MaxArchiveEntries = 200_000;

    /// <summary>Of one watch: each holds a watch of the kernel.</summary>
    public const int MaxWatchedDirectories = 8192;

    /// <summary>Of all callers at a time.</summary>
    public const int MaxFileWatches = 16;

    public const string EnvironmentFile = "/etc/environment";
    public const string ProfileScript = "/etc/profile.d/oriel.sh";

    public const int MaxPathBytes = 4095;

    private const int MaxNameBytes = 255;

    /// <summary>The kernel's and the agent's own: a file there is not a file.</summary>
    private static readonly string[] SystemRoots = ["/proc", "/sys", "/dev", "/run/oriel"];

    /// <summary>What the session, the login or the shell itself decides: a configured value could not be true everywhere.</summary>
    private static readonly HashSet<string> OfTheSession = new(StringComparer.Ordinal)
    {
        "_",
        "BASHOPTS",
        "BASH_ENV",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "ENV",
        "EUID",
        "HOME",
        "IFS",
        "LOGNAME",
        "OLDPWD",
        "PPID",
        "PWD",
        "SHELL",
        "SHELLOPTS",
        "SHLVL",
        "UID",
        "USER",
        "XAUTHORITY",
        "XDG_RUNTIME_DIR",
        "XDG_SESSION_TYPE",
    };

    /// <summary>Which paths of a guest can be named from outside.</summary>
    /// <returns>What is wrong, as the rest of a sentence about the path, or null.</returns>
    public static string? PathProblem(string? path)
    {
        if (path is null || !path.StartsWith('/'))
        {
            return "the path is not absolute";
        }

        if (path.Length == 1 || path.EndsWith('/'))
        {
            return "the path names no file";
        }

        if (path.Any(char.IsControl))
        {
            return "the path contains a control character";
        }

        if (!IsText(path))
        {
            return "the path is not valid Unicode";
        }

        if (Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
        {
            return $"the path is longer than {MaxPathBytes} bytes";
        }

        foreach (var name in path.Split('/').Skip(1))
        {
            if (name is "" or "." or "..")
            {
                return "the path holds '//', '/./' or '/../'";
            }

            if (Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
            {
                return $"a name in the path is longer than {MaxNameBytes} bytes";
            }
        }

        return SystemRoots.FirstOrDefault(root => IsAtOrAbove(root, path)) is { } hit ? $"{hit} belongs to the system" : null;
    }

    /// <summary>Whether a path is one of those whose files are none of the desktop's.</summary>
    public static bool IsOfTheSystem(string path) => SystemRoots.Any(root => IsAtOrAbove(root, path));

    /// <summary>What can neither be removed nor moved nor replaced as a whole.</summary>
    /// <param name="home">The home directory of the guest's user.</param>
    /// <returns>Why not, as the rest of a sentence about the path, or null.</returns>
    public static string? KeptProblem(string path, string home) =>
        IsAtOrAbove(path, home) ? "it is or holds the home directory"
        : SystemRoots.Any(root => IsAtOrAbove(path, root)) ? "it holds what belongs to the system"
        : null;

    /// <summary>Whether the file is written from the variables, and so cannot be given.</summary>
    public static bool IsWrittenFromVariables(string path) => path is EnvironmentFile or ProfileScript;

    /// <summary>A directory that one of the files is said to be.</summary>
    /// <returns>The first that lies inside of another one, or null.</returns>
    public static string? InsideAnother(IReadOnlySet<string> paths) => paths.FirstOrDefault(path => Parents(path).Any(paths.Contains));

    /// <summary>[A-Za-z_][A-Za-z0-9_]* (POSIX names).</summary>
    public static bool IsVariableName(string name) =>
        name.Length is > 0 and <= MaxVariableNameLength
        && !char.IsAsciiDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    /// <summary>All that is wrong with variables that are to be configured.</summary>
    public static IEnumerable<string> EnvironmentProblems(IEnumerable<KeyValuePair<string, string>> variables)
    {
        if (
            variables.Count() > MaxVariables
            || variables.Sum(v => Encoding.UTF8.GetByteCount(v.Key) + Encoding.UTF8.GetByteCount(v.Value ?? "") + 2L) > MaxEnvironmentBytes
        )
        {
            yield return $"env must have at most {MaxVariables} variables and {MaxEnvironmentBytes} bytes";
        }

        foreach (var (name, value) in variables)
        {
            if (!IsVariableName(name))
            {
                yield return $"env: '{(name.Length <= 40 ? name : name[..40] + "…")}' is not a variable's name: [A-Za-z_][A-Za-z0-9_]*";
            }
            else if (OfTheSession.Contains(name))
            {
                yield return $"env: {name} is set by the desktop's own session";
            }
            else if (value is null || value.Length > MaxVariableLength || value.AsSpan().ContainsAny('\n', '\r', '\0'))
            {
                yield return $"env: the value of {name} must be one line of at most {MaxVariableLength} characters";
            }
        }
    }

    private static IEnumerable<string> Parents(string path)
    {
        for (var slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
        {
            yield return path[..slash];
        }
    }

    private static bool IsAtOrAbove(string path, string other) => other == path || other.StartsWith(path + "/", StringComparison.Ordinal);

    /// <summary>Whether a name is UTF-8, and so can be told to others.</summary>
    public static bool IsText(string name)
    {
        for (var at = 0; at < name.Length; at++)
        {
            if (char.IsSurrogate(name[at]) && !(at + 1 < name.Length && char.IsSurrogatePair(name[at], name[++at])))
            {
                return false;
            }
        }

        return true;
    }
}
