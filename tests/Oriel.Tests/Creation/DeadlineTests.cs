using Oriel.Desktops.Node;
using Oriel.Images.Store;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Creation;

/// <summary>Steps that read or write as much as an image or a machine's memory have time for it on a slow disk.</summary>
public sealed class DeadlineTests
{
    private const long Mb = 1_000_000;

    [Theory]
    [InlineData(60, 0, 1, 60)]
    [InlineData(60, 1100, 1, 170)]
    [InlineData(60, 1100, 5, 610)]
    [InlineData(60, 1100, 0, 170)]
    [InlineData(300, 3200, 1, 620)]
    [InlineData(60, 4_000_000_000_000, 5, 60 + (5 * 86_400))]
    public void DeadlineFor_Bytes_GrowsByThemAndByWhatTheHostIsSlowerBy(int step, long megabytes, double timeScale, int seconds)
    {
        var options = new DesktopOptions
        {
            Layout = new DataLayout("/data"),
            Driver = DesktopDriver.Container with { TimeScale = timeScale },
        };
        Assert.Equal(TimeSpan.FromSeconds(seconds), options.DeadlineFor(TimeSpan.FromSeconds(step), megabytes * Mb));
    }

    [Fact]
    public void Size_OfAnImagesDisks_IsThatOfAllThatIsRead()
    {
        var disks = new ImageDisks(
            "6.12",
            new ImageFile("vmlinux", "", 58 * Mb),
            new ImageFile("initramfs", "", 2 * Mb),
            new ImageFile("root.erofs", "", 1000 * Mb),
            "erofs"
        );
        Assert.Equal(1060 * Mb, disks.Size);
    }

    [Theory]
    [InlineData(0, 2L << 30)]
    [InlineData(3L << 30, 3L << 30)]
    public void MachineMemory_OfLimits_IsWhatTheMachineHasInTheEnd(long limit, long bytes) =>
        Assert.Equal(bytes, new KeeperLimits(limit, 0, 0, null).MachineMemory());
}
