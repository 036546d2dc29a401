using Microsoft.Extensions.Logging.Abstractions;
using Oriel.Desktops.Node;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;

namespace Oriel.Linux.Tests.Images;

/// <summary>In this ring, as nothing is unreadable to root.</summary>
public sealed class UnreadableSnapshotsTests : IDisposable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory();

    public void Dispose() => _data.Delete(recursive: true);

    [Fact]
    public async Task List_FolderThatCannotBeRead_SaysSoAndTouchesNothing()
    {
        var store = new ImageStore(_data.FullName);
        var image = new ImageManifest(
            "desktop",
            "sha256:" + new string('a', 64),
            "bookworm",
            "",
            null,
            0,
            0,
            DateTimeOffset.UnixEpoch,
            [],
            null
        );
        var folder = Directory.CreateDirectory(store.DirectoryOf(image.Digest).Snapshots);
        var snapshots = new GoldenSnapshots(
            new DesktopDriver("played", DesktopDriver.MicroVm, null, NeedsDisks: false, TimeScale: 1, Vmm: "/bin/true"),
            store,
            NullLogger<GoldenSnapshots>.Instance
        );
        File.SetUnixFileMode(folder.FullName, UnixFileMode.None);
        try
        {
            Assert.StartsWith("it cannot be read: ", Assert.Single(await snapshots.ListAsync(image, Token)).Refused);
            var found = await snapshots.FindAsync(DesktopTemplate.Default, image, Token);
            Assert.Null(found.Snapshot);
            Assert.StartsWith("it cannot be read: ", found.Refusal);
            await snapshots.RemoveRefusedAsync(DesktopTemplate.Default, image, Token);
            Assert.True(Directory.Exists(folder.FullName));
        }
        finally
        {
            File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
