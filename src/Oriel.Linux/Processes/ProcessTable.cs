using System.Globalization;
using System.Text;

namespace Oriel.Linux.Processes;

/// <summary>One process as /proc/pid/stat shows it (proc(5)).</summary>
/// <param name="Name">The command's name, at most 15 bytes.</param>
/// <param name="State">R, S, D, Z ...</param>
/// <param name="StartTicks">When it began, in clock ticks since boot: with the number it names one process of a boot.</param>
public readonly record struct ProcessEntry(int Pid, string Name, char State, int Parent, int Group, int Session, ulong StartTicks);

/// <summary>Reads /proc. A process that ends meanwhile is absent, never an error.</summary>
public static class ProcessTable
{
    public static List<ProcessEntry> ReadAll()
    {
        List<ProcessEntry> entries = [];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && TryRead(pid, out var entry)
            )
            {
                entries.Add(entry);
            }
        }

        return entries;
    }

    /// <summary>The children of a process, theirs, and so on; not the process itself.</summary>
    public static List<ProcessEntry> ReadDescendants(int ancestor)
    {
        var byParent = ReadAll().ToLookup(entry => entry.Parent);
        // A number that is given anew while /proc is read can make two processes each other's parent.
        HashSet<int> known = [ancestor];
        List<ProcessEntry> descendants = [.. byParent[ancestor].Where(entry => known.Add(entry.Pid))];
        for (var next = 0; next < descendants.Count; next++)
        {
            descendants.AddRange(byParent[descendants[next].Pid].Where(entry => known.Add(entry.Pid)));
        }

        return descendants;
    }

    public static bool TryRead(int pid, out ProcessEntry entry) => TryReadStat($"/proc/{pid}/stat", out entry);

    /// <summary>This process. Its number is that of the PID namespace in which /proc was mounted, which may be an outer one.</summary>
    public static bool TryReadSelf(out ProcessEntry entry) => TryReadStat("/proc/self/stat", out entry);

    /// <summary>Its arguments with spaces between; empty where they cannot be read, or it has none.</summary>
    public static string CommandLineOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>The path of the program that it runs; null when it cannot be read.</summary>
    public static string? ProgramOf(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/exe").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The environment that the process was started with, or null when it cannot be read.</summary>
    public static Dictionary<string, string>? TryReadEnvironment(int pid)
    {
        try
        {
            return ParseEnvironment(ReadAtOnce($"/proc/{pid}/environ"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // In one call: to one that comes after the process has become another program (execve) the file has ended, and half of it would be
    // taken for all.
    private static ReadOnlySpan<byte> ReadAtOnce(string path)
    {
        for (var size = 64 << 10; ; size *= 4)
        {
            using var file = File.OpenHandle(path);
            var buffer = new byte[size];
            var read = RandomAccess.Read(file, buffer, 0);
            if (read < size)
            {
                return buffer.AsSpan(0, read);
            }
        }
    }

    /// <summary>NUL-separated NAME=value, as /proc/pid/environ and <c>env -0</c> give it.</summary>
    public static Dictionary<string, string> ParseEnvironment(ReadOnlySpan<byte> bytes)
    {
        Dictionary<string, string> environment = new(StringComparer.Ordinal);
        foreach (var range in bytes.Split((byte)0))
        {
            var entry = bytes[range];
            var equals = entry.IndexOf((byte)'=');
            if (equals > 0)
            {
                environment.TryAdd(Encoding.UTF8.GetString(entry[..equals]), Encoding.UTF8.GetString(entry[(equals + 1)..]));
            }
        }

        return environment;
    }

    internal static bool TryParse(string stat, out ProcessEntry entry)
    {
        entry = default;
        // The name is in parentheses and may itself contain spaces and parentheses.
        int open = stat.IndexOf('('),
            close = stat.LastIndexOf(')');
        if (open < 1 || close < open || !int.TryParse(stat.AsSpan(0, open).Trim(), out var pid))
        {
            return false;
        }

        // From the third field on, the state; the 22nd is the start, and what comes after it stays one piece.
        const int Start = 19;
        var rest = stat.AsSpan(close + 1);
        Span<Range> fields = stackalloc Range[Start + 2];
        if (
            rest.Split(fields, ' ', StringSplitOptions.RemoveEmptyEntries) <= Start
            || !int.TryParse(rest[fields[1]], CultureInfo.InvariantCulture, out var parent)
            || !int.TryParse(rest[fields[2]], CultureInfo.InvariantCulture, out var group)
            || !int.TryParse(rest[fields[3]], CultureInfo.InvariantCulture, out var session)
            || !ulong.TryParse(rest[fields[Start]], NumberStyles.None, CultureInfo.InvariantCulture, out var start)
        )
        {
            return false;
        }

        entry = new ProcessEntry(pid, stat[(open + 1)..close], rest[fields[0]][0], parent, group, session, start);
        return true;
    }

    private static bool TryReadStat(string path, out ProcessEntry entry)
    {
        entry = default;
        try
        {
            return TryParse(File.ReadAllText(path), out entry);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
