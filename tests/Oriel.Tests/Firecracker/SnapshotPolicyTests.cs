using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Linux.Files;
using Oriel.Linux.Machine;

namespace Oriel.Tests.Firecracker;

/// <summary>Where a machine's memory may be written, as what, and for how long.</summary>
public sealed class SnapshotPolicyTests : IDisposable
{
    private const long Gib = 1L << 30;
    private static readonly FirecrackerCapabilities Sparse = FirecrackerCapabilities.Of(new FirecrackerVersion(1, 13, 0));

    private readonly string _directory = Directory.CreateTempSubdirectory("fc").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(true, 13, false, true)]
    [InlineData(true, 13, true, false)]
    [InlineData(true, 12, false, false)]
    [InlineData(false, 13, false, false)]
    public void Next_FirstOfAMachine_IsSparseWhereNothingIsLostByIt(bool isBooted, int minor, bool canSwap, bool isSparse)
    {
        var policy = new SnapshotPolicy(
            Gib,
            isBooted,
            isLimited: true,
            FirecrackerCapabilities.Of(new FirecrackerVersion(1, minor, 0)),
            () => canSwap,
            timeScale: 1
        );
        Assert.Equal(
            [isSparse ? SnapshotType.Diff : SnapshotType.Full, SnapshotType.Full, SnapshotType.Full],
            [policy.Next(), policy.Next(), policy.Next()]
        );
    }

    [Fact]
    public void Next_AfterOneThatFailed_IsWhole()
    {
        var policy = new SnapshotPolicy(Gib, isBooted: true, isLimited: true, Sparse, () => false, timeScale: 1);
        Assert.Equal(SnapshotType.Diff, policy.Next());
        // Whether anything of it was written is not asked.
        Assert.Equal(SnapshotType.Full, policy.Next());
    }

    [Theory]
    [InlineData("/dev/shm", true, true)]
    [InlineData("/dev/shm", false, false)]
    [InlineData("/proc", true, false)]
    public void Admit_FileSystemInMemory_IsRefusedWhereItCountsAsTheMachines(string directory, bool isLimited, bool isRefused)
    {
        var policy = new SnapshotPolicy(3 * Gib, isBooted: true, isLimited, Sparse, () => false, timeScale: 1);
        var refused = Record.Exception(() => policy.Admit(directory, FileSystemType.Of(directory)));
        Assert.Equal(isRefused, refused is IOException);
        Assert.Equal(
            isRefused
                ? "/dev/shm is on a file system in memory: the 3072 MiB that Firecracker writes there would count as the desktop's own memory, and end it at its limit. Take a data directory on a disk (--data)."
                : null,
            refused?.Message
        );
    }

    [Fact]
    public void Admit_Ramfs_IsRefusedLikeTmpfs()
    {
        var policy = new SnapshotPolicy(Gib, isBooted: false, isLimited: true, Sparse, () => false, timeScale: 1);
        Assert.Throws<IOException>(() => policy.Admit("/data", FileSystemType.Ramfs));
        policy.Admit("/data", new FileSystemType(0xEF53));
    }

    [Fact]
    public void FileSystemType_OfWhatIsNotThere_NamesIt() =>
        Assert.Equal(
            "statfs /nowhere: ENOENT (no such file or directory)",
            Assert.Throws<Oriel.Linux.LinuxException>(() => FileSystemType.Of("/nowhere")).Message
        );

    [Theory]
    [InlineData(0, 1, 30)]
    [InlineData(3 * Gib, 1, 352)]
    [InlineData(3 * Gib, 6, 2112)]
    [InlineData(0, 0, 30)]
    public void DeadlineOf_Memory_HasRoomForASlowDisk(long memory, double timeScale, int seconds) =>
        Assert.Equal(seconds, (int)SnapshotPolicy.DeadlineOf(memory, timeScale).TotalSeconds);

    [Theory]
    [InlineData("Filename\tType\tSize\tUsed\tPriority\n", false)]
    [InlineData("Filename\tType\tSize\tUsed\tPriority\n/dev/zram0\tpartition\t1048572\t0\t100\n", true)]
    [InlineData("", false)]
    [InlineData(null, true)]
    public void SwapSpace_OfATable_IsThereWhereALineFollowsTheTitlesOrNothingIsKnown(string? table, bool isThere)
    {
        var path = Path.Combine(_directory, "swaps");
        if (table is not null)
        {
            File.WriteAllText(path, table);
        }

        Assert.Equal(isThere, SwapSpace.IsThere(path));
    }
}
