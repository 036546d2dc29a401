using System.Text.RegularExpressions;

namespace Oriel.Tests.Structure;

/// <summary>The documents lead where they say, and none is left out of their list.</summary>
public sealed partial class DocumentTests
{
    private const int MostColumns = 140;

    public static TheoryData<string> Documents =>
        [
            "README.md",
            "CONTRIBUTING.md",
            "SPECIFICATION.md",
            .. Directory
                .EnumerateFiles(Path.Combine(SourceTree.Root, "docs"), "*.md", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(SourceTree.Root, path)),
        ];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_ToFiles_AreThere(string document)
    {
        var folder = Path.Combine(SourceTree.Root, Path.GetDirectoryName(document)!);
        string[] targets =
        [
            .. Link()
                .Matches(SourceTree.Read(document))
                .Select(match => match.Groups[1].Value)
                .Where(target => !target.Contains("://", StringComparison.Ordinal)),
        ];
        Assert.All(targets, target => Assert.True(Path.Exists(Path.Combine(folder, target)), $"{target} is not there"));
    }

    /// <summary>A table, code or a URL may be wider.</summary>
    [Theory]
    [MemberData(nameof(Documents))]
    public void Line_OfText_IsNoWiderThanAScreen(string document) =>
        Assert.DoesNotContain(Text(SourceTree.Read(document).Split('\n')), line => Url().Replace(line, "").Length > MostColumns);

    [Fact]
    public void List_HasEachDocument()
    {
        var list = SourceTree.Read("docs/README.md");
        var names = Directory
            .EnumerateFiles(Path.Combine(SourceTree.Root, "docs"), "*.md")
            .Select(path => Path.GetFileName(path))
            .Where(name => name != "README.md");
        Assert.All(names, name => Assert.Contains($"[{name}]({name})", list));
    }

    [Fact]
    public void Decisions_EachHasItsNumberAndItsRow()
    {
        string[] names =
        [
            .. Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "docs/decisions"), "0*.md").Select(path => Path.GetFileName(path)),
        ];
        Assert.Empty(names.GroupBy(name => name[..4]).Where(group => group.Count() > 1).Select(group => group.Key));
        var list = SourceTree.Read("docs/decisions/README.md");
        Assert.All(names, name => Assert.Contains($"[{name[..4]}]({name})", list));
        Assert.All(names, name => Assert.StartsWith($"# {name[..4]}: ", SourceTree.Read($"docs/decisions/{name}")));
    }

    /// <summary>All that the product reads, by their whole names.</summary>
    [Fact]
    public void Variables_EachIsDescribed()
    {
        var described = SourceTree.Read("CONTRIBUTING.md");
        var names = SourceTree
            .Sources()
            .SelectMany(path => Variable().Matches(SourceTree.Read(path)))
            .Select(match => match.Groups[1].Value)
            .Distinct();
        Assert.All(names, name => Assert.Contains($"`{name}`", described));
    }

    /// <summary>The lines that are no table and no code, fenced or indented behind an empty line.</summary>
    private static IEnumerable<string> Text(string[] lines)
    {
        var (isFenced, isCode, previous) = (false, false, "");
        foreach (var line in lines)
        {
            var isFence = line.StartsWith("```", StringComparison.Ordinal);
            isFenced ^= isFence;
            isCode = line.StartsWith("    ", StringComparison.Ordinal) && (isCode || previous.Length == 0);
            previous = line;
            if (!isFenced && !isFence && !isCode && !line.StartsWith('|'))
            {
                yield return line;
            }
        }
    }

    [GeneratedRegex(@"https?://[^\s)]+")]
    private static partial Regex Url();

    [GeneratedRegex(@"\]\(([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();

    [GeneratedRegex("\"(ORIEL_[A-Z_]*[A-Z])\"")]
    private static partial Regex Variable();
}
