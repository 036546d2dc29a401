using System.Security.Cryptography;
using Oriel.Protocol.Keeper;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>Nothing ever writes to an image's root disk.</summary>
public sealed class RootDiskTests : IDisposable
{
    private const int Desktops = 100;
    private const int AtOnce = 4;

    private readonly StandInMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    /// <summary>
    /// Each of the machines has a VMM that tries to open kernel, initramfs and root disk for writing, as a user of its own.
    /// </summary>
    [Fact]
    public async Task RootDisk_AfterAHundredDesktops_IsUnchangedAndWasNeverOpenForWriting()
    {
        var before = Look();
        var writable = 0;
        await Parallel.ForAsync(
            0,
            Desktops,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (_, _) =>
            {
                await using var keeper = await _machine.StartAsync("firecracker");
                await keeper.WaitForAsync<KeeperExit>();
                Assert.Contains(keeper.Seen, seen => seen is KeeperStep { Name: "vm-boot", State: KeeperStepState.Done });
                Assert.Contains(
                    keeper.Seen,
                    seen =>
                        seen is ConsoleLine line
                        && line.Line.Contains("\"path_on_host\":\"root\"", StringComparison.Ordinal)
                        && line.Line.Contains("\"is_read_only\":true", StringComparison.Ordinal)
                );
                Interlocked.Add(
                    ref writable,
                    keeper.Seen.Count(seen => seen is ConsoleLine line && line.Line.StartsWith("writable", StringComparison.Ordinal))
                );
            }
        );

        Assert.Equal(0, writable);
        Assert.Equal(before, Look());
        foreach (var disk in Directory.EnumerateFiles(_machine.Disks))
        {
            Assert.Equal(
                (UnixFileMode)0,
                File.GetUnixFileMode(disk) & (UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)
            );
        }
    }

    private string[] Look() =>
        [
            .. Directory
                .EnumerateFiles(_machine.Disks)
                .Order(StringComparer.Ordinal)
                .Select(disk =>
                    $"{Path.GetFileName(disk)} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(disk)))} {File.GetLastWriteTimeUtc(disk):O} {File.GetUnixFileMode(disk)}"
                ),
        ];
}
