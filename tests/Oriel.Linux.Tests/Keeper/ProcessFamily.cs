using System.Globalization;
using Oriel.Desktops.Keepers;
using Oriel.Linux.Machine;
using Oriel.Linux.Processes;
using Oriel.Protocol.Keeper;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>One process as the host sees it.</summary>
internal sealed record Member(int Pid, ulong StartTicks)
{
    public bool IsThere => KeeperLiveness.IsAlive(new KeeperIdentity(Pid, StartTicks, BootId.Read(), 0));

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
    public static List<Member> Of(int pid)
    {
        var entries = ProcessTable.ReadAll().ToDictionary(entry => entry.Pid);
        var keeper = entries[pid];
        return [Of(entries[keeper.Parent]), Of(keeper), .. ProcessTable.ReadDescendants(pid).Select(Of)];

        static Member Of(ProcessEntry entry) => new(entry.Pid, entry.StartTicks);
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
}
