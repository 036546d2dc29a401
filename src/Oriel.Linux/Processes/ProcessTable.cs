using System.Globalization;
using System.Text;

namespace Oriel.Linux.Processes;

/// <summary>One process as /proc/pid/stat shows it (proc(5)).</summary>
/// <param name="Name">The command's name, at most 15 bytes.</param>
/// <param name="State">R, S, D, Z ...</param>
public readonly record struct ProcessEntry(int Pid, string Name, char State, int Parent, int Group, int Session);

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

    public static bool TryRead(int pid, out ProcessEntry entry)
    {
        entry = default;
        try
        {
            return TryParse(File.ReadAllText($"/proc/{pid}/stat"), out entry);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
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

        var fields = stat[(close + 1)..].Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        if (
            fields.Length < 5
            || !int.TryParse(fields[1], out var parent)
            || !int.TryParse(fields[2], out var group)
            || !int.TryParse(fields[3], out var session)
        )
        {
            return false;
        }

        entry = new ProcessEntry(pid, stat[(open + 1)..close], fields[0][0], parent, group, session);
        return true;
    }
}
