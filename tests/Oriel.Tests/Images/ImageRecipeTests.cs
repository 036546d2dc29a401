using Oriel.Images.Building;

namespace Oriel.Tests.Images;

public sealed class ImageRecipeTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("oriel-recipe-").FullName;

    public ImageRecipeTests()
    {
        File.WriteAllText(
            Path.Combine(_path, "image.json"),
            """{"name":"desktop","suite":"trixie","mirrors":["deb http://deb.debian.org/debian trixie main"]}"""
        );
        File.WriteAllText(Path.Combine(_path, "packages.txt"), "# comment\nbash\n\n  curl\n");
        File.WriteAllText(Path.Combine(_path, "customise"), "#!/bin/sh\n");
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public void Load_CommentsAndBlanks_AreNoPackages() => Assert.Equal(["bash", "curl"], ImageRecipe.Load(_path).Packages);

    [Fact]
    public void Hash_AnotherCustomiseScript_ChangesButTheBaseStays()
    {
        var before = ImageRecipe.Load(_path);
        File.AppendAllText(Path.Combine(_path, "customise"), "true\n");
        var after = ImageRecipe.Load(_path);
        Assert.NotEqual(before.Hash, after.Hash);
        Assert.Equal(before.BaseHash, after.BaseHash);
    }

    [Fact]
    public void Hash_AnotherPackage_ChangesTheBaseToo()
    {
        var before = ImageRecipe.Load(_path);
        File.AppendAllText(Path.Combine(_path, "packages.txt"), "nano\n");
        Assert.NotEqual(before.BaseHash, ImageRecipe.Load(_path).BaseHash);
    }

    [Fact]
    public void Hash_ExecutableBit_Counts()
    {
        var before = ImageRecipe.Load(_path).Hash;
        File.SetUnixFileMode(Path.Combine(_path, "customise"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.NotEqual(before, ImageRecipe.Load(_path).Hash);
    }

    [Theory]
    [InlineData("--include=evil")]
    [InlineData("two words")]
    [InlineData("a;b")]
    public void Load_PackageThatIsNoName_Throws(string package)
    {
        File.AppendAllText(Path.Combine(_path, "packages.txt"), package + "\n");
        Assert.Throws<ImageRecipeException>(() => ImageRecipe.Load(_path));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"name\":\"x\",\"suite\":\"trixie\",\"mirrors\":[]}")]
    [InlineData("{\"name\":\"../x\",\"suite\":\"trixie\",\"mirrors\":[\"deb x\"]}")]
    public void Load_BrokenDescription_Throws(string json)
    {
        File.WriteAllText(Path.Combine(_path, "image.json"), json);
        Assert.Throws<ImageRecipeException>(() => ImageRecipe.Load(_path));
    }

    [Fact]
    public void Load_NotARecipe_Throws() => Assert.Throws<ImageRecipeException>(() => ImageRecipe.Load(Path.GetTempPath() + "none"));
}
