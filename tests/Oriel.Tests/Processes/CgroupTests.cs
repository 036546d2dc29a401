using Oriel.Linux.Cgroups;

namespace Oriel.Tests.Processes;

/// <summary>What is written; what a kernel makes of it is in the ring machine.</summary>
public sealed class CgroupTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-cgroup-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Limit_OfMemory_IsOfSwapTooWhereTheKernelCountsIt(bool countsSwap)
    {
        string[] files = ["cgroup.procs", "memory.max", "pids.max", .. countsSwap ? (string[])["memory.swap.max"] : []];
        foreach (var file in files)
        {
            File.WriteAllText(Path.Combine(_directory, file), "max\n");
        }

        using var cgroup = Cgroup.Open(_directory);
        var missing = cgroup.Limit(1 << 30, cpus: 2, pids: 100);

        Assert.Equal(["cpu.max"], missing);
        Assert.Equal("1073741824", File.ReadAllText(Path.Combine(_directory, "memory.max")));
        var swap = Path.Combine(_directory, "memory.swap.max");
        Assert.Equal(countsSwap ? "0" : null, File.Exists(swap) ? File.ReadAllText(swap) : null);
        Assert.Equal("100", File.ReadAllText(Path.Combine(_directory, "pids.max")));
    }
}
