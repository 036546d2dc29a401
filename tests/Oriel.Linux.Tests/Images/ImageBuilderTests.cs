using Oriel.Images.Building;
using Oriel.Images.Store;
using Oriel.Images.Tools;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Images;

/// <summary>The builder and the store with the real tools, in user namespaces; a whole build is what ./oriel test begins with.</summary>
public sealed class ImageBuilderTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("oriel-build-").FullName;
    private readonly List<string> _reported = [];

    public ImageBuilderTests()
    {
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "Images are built by an ordinary user with subordinate ids; this runs as root.");
        Directory.CreateDirectory(Recipe);
        File.WriteAllText(
            Path.Combine(Recipe, "image.json"),
            $$"""{"name":"broken","suite":"trixie","mirrors":["deb file://{{_path}}/nowhere trixie main"]}"""
        );
        File.WriteAllText(Path.Combine(Recipe, "packages.txt"), "bash\n");
    }

    private string Recipe => Path.Combine(_path, "recipe");

    private string Images => new DataLayout(_path).Images;

    private string Cache => new DataLayout(_path).Cache;

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public async Task BuildAsync_MirrorThatIsNotThere_FailsWithTheToolsWordsAndLeavesNothing()
    {
        var failure = await Assert.ThrowsAsync<CommandFailedException>(() => BuildAsync(TestContext.Current.CancellationToken));
        Assert.Contains("mmdebstrap", failure.Message + string.Join('\n', _reported));
        AssertNothingLeft();
    }

    [Fact]
    public async Task BuildAsync_Cancelled_LeavesNothing()
    {
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => BuildAsync(cancel.Token, _ => cancel.Cancel()));
        AssertNothingLeft();
    }

    [Fact]
    public async Task BuildAsync_AnEarlierBuildWasKilled_RemovesWhatItLeft()
    {
        Directory.CreateDirectory(Path.Combine(new ImageDirectory(Path.Combine(Images, ImageStore.BuildingPrefix + "1")).Tree, "etc"));
        _ = BootstrapRoom.Create(_path, Images);
        await Assert.ThrowsAsync<CommandFailedException>(() => BuildAsync(TestContext.Current.CancellationToken));
        AssertNothingLeft();
    }

    [Fact]
    public async Task BuildAsync_AnotherBuilderIsAtWork_IsRefused()
    {
        Directory.CreateDirectory(Images);
        await using var other = new FileStream(Path.Combine(Images, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        var refusal = await Assert.ThrowsAsync<ImageBuildException>(() => BuildAsync(TestContext.Current.CancellationToken));
        Assert.Contains("Another build", refusal.Message);
    }

    [Fact]
    public async Task VerifyAsync_FileChangedAfterTheBuild_SaysSo()
    {
        var store = new ImageStore(Images);
        var digest = await AddAsync();
        Assert.True((await store.VerifyAsync(digest, TestContext.Current.CancellationToken)).Intact);
        File.AppendAllText(Path.Combine(store.DirectoryOf(digest).Tree, "file"), "!");
        var after = await store.VerifyAsync(digest, TestContext.Current.CancellationToken);
        Assert.False(after.Intact);
        Assert.NotEqual(digest, after.Actual);
    }

    [Fact]
    public async Task RemoveAsync_FreeImage_TakesItAway()
    {
        var store = new ImageStore(Images);
        var digest = await AddAsync();
        Assert.Equal(ImageRemoval.Removed, await store.RemoveAsync(digest, _ => false, TestContext.Current.CancellationToken));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Images));
    }

    private async Task<string> AddAsync()
    {
        var building = Path.Combine(Images, "new");
        var root = new ImageDirectory(building).Tree;
        Directory.CreateDirectory(root);
        File.WriteAllText(Path.Combine(root, "file"), "content");
        File.CreateSymbolicLink(Path.Combine(root, "link"), "file");
        var tree = await TreeDigest.OfDirectoryAsync(root, TestContext.Current.CancellationToken);
        ImageStore.Write(
            building,
            new ImageManifest("small", tree.Digest, "none", "recipe", null, tree.Size, tree.Entries, DateTimeOffset.UnixEpoch, [], null)
        );
        Directory.Move(building, new ImageStore(Images).PathOf(tree.Digest));
        return tree.Digest;
    }

    private Task<ImageManifest> BuildAsync(CancellationToken cancellationToken, Action<string>? onReport = null)
    {
        var builder = new ImageBuilder(
            new ImageStore(Images),
            Cache,
            TimeProvider.System,
            line =>
            {
                lock (_reported)
                {
                    _reported.Add(line);
                }

                onReport?.Invoke(line);
            }
        );
        return builder.BuildAsync(new ImageBuildRequest(ImageRecipe.Load(Recipe), null, "0"), cancellationToken);
    }

    private void AssertNothingLeft()
    {
        Assert.Equal([".lock"], Directory.EnumerateFileSystemEntries(Images).Select(Path.GetFileName));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Cache));
        Assert.Empty(BootstrapRoom.Left(Images));
    }
}
