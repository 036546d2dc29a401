using System.Text.RegularExpressions;

namespace Oriel.Tests.Structure;

public sealed partial class ReadmeTests
{
    private static readonly byte[] PngSignature = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    [Fact]
    public void Images_OfTheReadme_ArePictures()
    {
        var images = Image().Matches(SourceTree.Read("README.md")).Select(match => match.Groups["path"].Value).ToArray();
        Assert.NotEmpty(images);
        Assert.All(
            images,
            path => Assert.Equal(PngSignature, File.ReadAllBytes(Path.Combine(SourceTree.Root, path))[..PngSignature.Length])
        );
    }

    [GeneratedRegex(@"!\[[^\]]+\]\((?<path>[^)]+\.png)\)")]
    private static partial Regex Image();
}
