using System.Globalization;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Cgroups;

/// <summary>
/// One cgroup v2 directory, held open, so that it can be used after another file system has been mounted over its path.
/// Source: Documentation/admin-guide/cgroup-v2.rst.
/// </summary>
public sealed class Cgroup : IDisposable
{
    private const int CpuPeriodUs = 100_000;

    private readonly OwnedDescriptor _anchor;
    private readonly string _directory;

    private Cgroup(OwnedDescriptor anchor)
    {
        _anchor = anchor;
        _directory = Fd.PathOf(anchor);
    }

    /// <exception cref="IOException">Not a cgroup v2 directory.</exception>
    public static Cgroup Open(string path)
    {
        if (!File.Exists(Path.Combine(path, "cgroup.procs")))
        {
            throw new IOException($"{path} is not a cgroup v2 directory.");
        }

        return new Cgroup(Fd.Open(path, FileCalls.PathOnly | FileCalls.MustBeDirectory));
    }

    public bool CanFreeze => File.Exists(FileOf("cgroup.freeze"));

    /// <param name="memoryBytes">Memory, and none of the host's swap beside it; 0 = no limit.</param>
    /// <param name="cpus">Cores; 0 = none.</param>
    /// <param name="pids">0 = none.</param>
    /// <returns>The limits that this host does not offer here (the controller is not delegated).</returns>
    public IReadOnlyList<string> Limit(long memoryBytes, double cpus, long pids)
    {
        List<string> missing = [];
        if (memoryBytes > 0)
        {
            Set("memory.max", memoryBytes.ToString(CultureInfo.InvariantCulture), missing);
            // Or the host's swap would be as much again. Kernels without an account of swap have no such file.
            ForbidSwap();
        }

        if (cpus > 0)
        {
            Set("cpu.max", string.Create(CultureInfo.InvariantCulture, $"{(long)(cpus * CpuPeriodUs)} {CpuPeriodUs}"), missing);
        }

        if (pids > 0)
        {
            Set("pids.max", pids.ToString(CultureInfo.InvariantCulture), missing);
        }

        return missing;
    }

    /// <summary>Keeps what is in memory there, for processes that join from now on.</summary>
    /// <returns>False where this host offers no such limit here.</returns>
    public bool ForbidSwap()
    {
        List<string> missing = [];
        Set("memory.swap.max", "0", missing);
        return missing.Count == 0;
    }

    public void Freeze(bool frozen) => File.WriteAllText(FileOf("cgroup.freeze"), frozen ? "1" : "0");

    /// <summary>How often the kernel killed a process of this group for want of memory; 0 where it cannot be known.</summary>
    public long OutOfMemoryKills() => OutOfMemoryKillsOf(_directory);

    /// <summary>The same of a group that is not held open.</summary>
    public static long OutOfMemoryKillsOf(string directory)
    {
        try
        {
            var line = File.ReadLines(Path.Combine(directory, "memory.events"))
                .FirstOrDefault(line => line.StartsWith("oom_kill ", StringComparison.Ordinal));
            return line is not null && long.TryParse(line.AsSpan(9), CultureInfo.InvariantCulture, out var count) ? count : 0;
        }
        catch (IOException)
        {
            // The controller is not there, or the group is gone.
            return 0;
        }
    }

    public void Dispose() => _anchor.Dispose();

    private string FileOf(string name) => $"{_directory}/{name}";

    private void Set(string file, string value, List<string> missing)
    {
        if (File.Exists(FileOf(file)))
        {
            File.WriteAllText(FileOf(file), value);
        }
        else
        {
            missing.Add(file);
        }
    }
}
