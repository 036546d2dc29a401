using System.Text;

namespace Oriel.Agent.Configuration;

/// <summary>Which paths of a guest can be named from outside.</summary>
internal static class PathRules
{
    private const int MaxPathBytes = 4095;
    private const int MaxNameBytes = 255;

    /// <summary>The kernel's and the agent's own: a file there is not a file.</summary>
    private static readonly string[] _forbidden = ["/proc", "/sys", "/dev", "/run/oriel"];

    /// <returns>What is wrong, or null.</returns>
    public static string? Check(string path)
    {
        if (!path.StartsWith('/'))
        {
            return "the path is not absolute";
        }

        if (path.Length == 1)
        {
            return "the path names no file";
        }

        if (path.Any(char.IsControl))
        {
            return "the path contains a control character";
        }

        if (path.Any(char.IsSurrogate) && !IsWellFormed(path))
        {
            return "the path is not valid Unicode";
        }

        if (System.Text.Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
        {
            return $"the path is longer than {MaxPathBytes} bytes";
        }

        foreach (var name in path.Split('/').Skip(1))
        {
            if (name is "" or "." or "..")
            {
                return "the path is not normalised";
            }

            if (System.Text.Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
            {
                return $"a name in the path is longer than {MaxNameBytes} bytes";
            }
        }

        return _forbidden.FirstOrDefault(root => path == root || path.StartsWith(root + "/", StringComparison.Ordinal)) is { } hit
            ? $"{hit} belongs to the system"
            : null;
    }

    private static bool IsWellFormed(string path)
    {
        foreach (var rune in path.EnumerateRunes())
        {
            if (rune == Rune.ReplacementChar)
            {
                return path.Contains('\uFFFD');
            }
        }

        return true;
    }
}
