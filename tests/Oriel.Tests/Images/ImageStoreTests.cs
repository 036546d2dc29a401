using Oriel.Images.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Images;

public sealed class ImageStoreTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("oriel-images-").FullName;

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public void List_NoFolder_IsEmpty() => Assert.Empty(new ImageStore(Path.Combine(_path, "none")).List());

    [Fact]
    public void List_SeveralImages_NewestFirst()
    {
        Add('a', day: 1);
        Add('b', day: 2);
        Assert.Equal([Digest('b'), Digest('a')], new ImageStore(_path).List().Select(image => image.Digest));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"name\":\"x\"}")]
    [InlineData("{\"name\":null,\"digest\":\"sha256:aa\"}")]
    public void List_BrokenManifest_IsPassedOver(string content)
    {
        var image = new ImageDirectory(Path.Combine(_path, new string('c', 64)));
        Directory.CreateDirectory(image.Path);
        File.WriteAllText(image.Manifest, content);
        Assert.Empty(new ImageStore(_path).List());
    }

    [Fact]
    public void List_ManifestOfAnotherDigest_IsPassedOver()
    {
        Add('a', day: 1);
        Directory.Move(Path.Combine(_path, new string('a', 64)), Path.Combine(_path, new string('d', 64)));
        Assert.Empty(new ImageStore(_path).List());
    }

    [Fact]
    public void List_UnfinishedBuild_IsPassedOver()
    {
        Directory.CreateDirectory(new ImageDirectory(Path.Combine(_path, ImageStore.BuildingPrefix + "1")).Tree);
        Assert.Empty(new ImageStore(_path).List());
    }

    [Fact]
    public void Find_NameOrDigestOrItsStart_FindsIt()
    {
        Add('a', day: 1);
        Add('b', day: 2, name: "other");
        var store = new ImageStore(_path);
        Assert.Equal(Digest('a'), store.Find("desktop")?.Digest);
        Assert.Equal(Digest('b'), store.Find(Digest('b'))?.Digest);
        Assert.Equal(Digest('b'), store.Find("bbbbbbbb")?.Digest);
        Assert.Null(store.Find("bbb"));
        Assert.Null(store.Find("none"));
    }

    [Fact]
    public void FindUsable_NewestHasNoBootTest_TakesTheOlderTestedOne()
    {
        Add('a', day: 1, Passed);
        Add('b', day: 2);
        Add('c', day: 3, Failed);
        Assert.Equal(Digest('a'), new ImageStore(_path, allowUntested: false).FindUsable("desktop")?.Digest);
    }

    [Fact]
    public void FindUsable_UntestedAllowed_StillRefusesAFailedOne()
    {
        Add('b', day: 2);
        Add('c', day: 3, Failed);
        Assert.Equal(Digest('b'), new ImageStore(_path, allowUntested: true).FindUsable("desktop")?.Digest);
    }

    [Fact]
    public void RecordBootTest_Passed_MakesItUsable()
    {
        Add('a', day: 1);
        var store = new ImageStore(_path, allowUntested: false);
        Assert.Null(store.FindUsable("desktop"));
        store.RecordBootTest(Digest('a'), Passed);
        Assert.Equal(Passed.At, store.FindUsable("desktop")?.BootTest?.At);
        Assert.False(File.Exists(Path.Combine(store.PathOf(Digest('a')), "manifest.json.new")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256:../../etc")]
    [InlineData("sha256:ABCD")]
    public void PathOf_NotADigest_Throws(string digest) => Assert.Throws<FormatException>(() => new ImageStore(_path).PathOf(digest));

    [Fact]
    public async Task RemoveAsync_InUse_KeepsIt()
    {
        Add('a', day: 1);
        var store = new ImageStore(_path);
        Assert.Equal(
            ImageRemoval.InUse,
            await store.RemoveAsync("desktop", digest => digest == Digest('a'), TestContext.Current.CancellationToken)
        );
        Assert.Equal(ImageRemoval.NotFound, await store.RemoveAsync("none", _ => false, TestContext.Current.CancellationToken));
        Assert.Single(store.List());
    }

    private static ImageBootTest Passed =>
        new(true, new DateTimeOffset(2026, 1, 9, 0, 0, 0, TimeSpan.Zero), [new ImageBootStep("drawn", true, 1.5, null)], null);

    private static ImageBootTest Failed => new(false, DateTimeOffset.UnixEpoch, [], "the terminal was not drawn");

    private static string Digest(char digit) => "sha256:" + new string(digit, 64);

    private void Add(char digit, int day, ImageBootTest? bootTest = null, string name = "desktop")
    {
        var directory = Path.Combine(_path, new string(digit, 64));
        Directory.CreateDirectory(directory);
        ImageStore.Write(
            directory,
            new ImageManifest(
                name,
                Digest(digit),
                "trixie",
                "recipe",
                null,
                1,
                1,
                new DateTimeOffset(2026, 1, day, 0, 0, 0, TimeSpan.Zero),
                [new ImagePackage("bash", "5")],
                bootTest
            )
        );
    }
}
