using System.Diagnostics;
using System.Globalization;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>What the host's /proc says, independent of anything that Oriel says of itself.</summary>
internal static class Host
{
    /// <summary>The keeper of a desktop and all that descends from it, by the parents in /proc.</summary>
    public static IReadOnlyList<int> ProcessesOf(string data, string id)
    {
        var bundle = new DataLayout(data).BundleOf(id).Path;
        var parents = Processes().ToDictionary(pid => pid, ParentOf);
        var roots = parents.Keys.Where(pid => CommandLineOf(pid).Contains(bundle, StringComparison.Ordinal)).ToHashSet();
        return [.. parents.Keys.Where(pid => Ancestors(pid, parents).Any(roots.Contains))];
    }

    /// <summary>The guest's first process: the agent, in the container of a desktop.</summary>
    public static int GuestOf(string data, string id) =>
        ProcessesOf(data, id).Single(pid => CommandLineOf(pid).Trim().EndsWith("oriel-agent", StringComparison.Ordinal));

    /// <summary>The process that is a virtual desktop's machine.</summary>
    public static int MachineOf(string data, string id) =>
        ProcessesOf(data, id).Single(pid => Path.GetFileName(CommandLineOf(pid).Split(' ')[0]) == "qemu-system-x86_64");

    /// <summary>KiB, by the names of smaps (proc_pid_smaps(5)), of the largest part of a process's memory: in a VMM the guest's.</summary>
    public static IReadOnlyDictionary<string, long> LargestMappingOf(int pid)
    {
        Dictionary<string, long> largest = [],
            present = [];
        foreach (
            var fields in File.ReadLines($"/proc/{pid}/smaps")
                .Select(line => line.Split([':', ' '], StringSplitOptions.RemoveEmptyEntries))
                .Where(fields => fields is [_, _, "kB"])
        )
        {
            if (fields[0] == "Size")
            {
                present = [];
            }

            present.Add(fields[0], long.Parse(fields[1], CultureInfo.InvariantCulture));
            largest = present["Size"] > largest.GetValueOrDefault("Size") ? present : largest;
        }

        return largest;
    }

    /// <summary>kill -9 of it, as the subordinate id that it runs as, whom nobody else may signal.</summary>
    public static async Task KillMachineAsync(string data, string id)
    {
        var machine = MachineOf(data, id).ToString(CultureInfo.InvariantCulture);
        using var kill = Process.Start(
            "unshare",
            ["--user", "--map-root-user", "--map-auto", "--", "setpriv", "--reuid", "64000", "--clear-groups", "--", "kill", "-9", machine]
        );
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>The real uid, in the host's user namespace.</summary>
    public static int UidOf(int pid)
    {
        try
        {
            var line = File.ReadLines($"/proc/{pid}/status").First(text => text.StartsWith("Uid:", StringComparison.Ordinal));
            return int.Parse(line.Split('\t')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return -1; // Ended in the meantime.
        }
    }

    public static bool IsAlive(int pid)
    {
        try
        {
            return !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Its path in the cgroup v2 tree, as /proc shows it; empty for one that has ended.</summary>
    public static string CgroupOf(int pid)
    {
        try
        {
            return File.ReadLines($"/proc/{pid}/cgroup").FirstOrDefault(line => line.StartsWith("0::", StringComparison.Ordinal)) ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    /// <summary>The directory of a desktop's group in the cgroup v2 tree, or null.</summary>
    public static string? CgroupDirectoryOf(string id) =>
        File.ReadLines("/proc/self/mounts")
            .Select(line => line.Split(' '))
            .Where(fields => fields[2] == "cgroup2")
            .SelectMany(fields =>
                Directory.EnumerateDirectories(
                    fields[1],
                    id,
                    new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }
                )
            )
            .FirstOrDefault();

    /// <summary>User and system time so far, in clock ticks (proc(5), fields 14 and 15 of stat).</summary>
    public static long CpuTicksOf(int pid) => StatOf(pid) is { } fields ? fields[11] + fields[12] : 0;

    /// <summary>Since it began (field 22 of stat, in clock ticks of 10 ms since the host did); none for one that has ended.</summary>
    public static TimeSpan AgeOf(int pid) =>
        StatOf(pid) is { } fields
            ? TimeSpan.FromSeconds(
                double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture) - (fields[19] / 100.0)
            )
            : TimeSpan.Zero;

    /// <summary>From the third field on, the state as 0; null for one that has ended.</summary>
    private static long[]? StatOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return
            [
                0,
                .. stat[(stat.LastIndexOf(')') + 4)..]
                    .Split(' ')
                    .Select(field => long.TryParse(field, CultureInfo.InvariantCulture, out var number) ? number : 0),
            ];
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static IEnumerable<int> Processes() =>
        Directory
            .EnumerateDirectories("/proc")
            .Select(Path.GetFileName)
            .Where(name => name!.All(char.IsAsciiDigit))
            .Select(name => int.Parse(name!, CultureInfo.InvariantCulture));

    private static IEnumerable<int> Ancestors(int pid, Dictionary<int, int> parents)
    {
        for (var at = pid; at > 1; at = parents.GetValueOrDefault(at))
        {
            yield return at;
        }
    }

    private static int ParentOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

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
}
