using System.Globalization;
using Oriel.Desktops.Keepers;
using Oriel.Protocol.Keeper;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>One process as the host sees it.</summary>
internal sealed record Member(int Pid, ulong StartTicks)
{
    public bool IsThere => KeeperLiveness.IsAlive(new KeeperIdentity(Pid, StartTicks, ProcessFamily.BootId, 0));

    /// <summary>Real, effective, saved and file system uid; none where it has ended meanwhile.</summary>
    public IReadOnlyList<int> Uids()
    {
        try
        {
            return File.ReadLines($"/proc/{Pid}/status")
                .First(line => line.StartsWith("Uid:", StringComparison.Ordinal))
                .Split('\t')[1..]
                .Select(uid => int.Parse(uid, CultureInfo.InvariantCulture))
                .ToList();
        }
        catch (IOException)
        {
            return [];
        }
    }
}

/// <summary>A process, its parent (unshare), and all its descendants.</summary>
internal static class ProcessFamily
{
    public static string BootId { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    public static List<Member> Of(int pid)
    {
        var parents = new Dictionary<int, (int Parent, ulong Start)>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var id)
                && TryRead(id, out var parent, out var start)
            )
            {
                parents[id] = (parent, start);
            }
        }

        var family = new List<Member> { new(pid, parents[pid].Start) };
        for (var i = 0; i < family.Count; i++)
        {
            family.AddRange(
                parents.Where(entry => entry.Value.Parent == family[i].Pid).Select(entry => new Member(entry.Key, entry.Value.Start))
            );
        }

        var unshare = parents[pid].Parent;
        family.Insert(0, new Member(unshare, parents[unshare].Start));
        return family;
    }

    /// <summary>The network namespaces that some process of this machine, as far as visible, is in.</summary>
    public static HashSet<string> NetworkNamespaces() =>
        Directory
            .EnumerateDirectories("/proc")
            .Where(directory => int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out _))
            .Select(directory => LinkOf(Path.Combine(directory, "ns/net")))
            .OfType<string>()
            .ToHashSet();

    public static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool TryRead(int pid, out int parent, out ulong start)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            parent = int.Parse(fields[1], CultureInfo.InvariantCulture);
            start = ulong.Parse(fields[19], CultureInfo.InvariantCulture);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            (parent, start) = (0, 0);
            return false;
        }
    }
}
