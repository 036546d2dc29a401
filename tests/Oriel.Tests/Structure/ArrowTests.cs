using System.Xml.Linq;

namespace Oriel.Tests.Structure;

/// <summary>Which project may know which; an arrow that is not here is a decision to be taken, not an accident.</summary>
public sealed class ArrowTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Oriel.Protocol"] = [],
        ["Oriel.Linux"] = [],
        ["Oriel.Screen"] = ["Oriel.Linux"],
        ["Oriel.WebRtc"] = [],
        ["Oriel.Egress"] = ["Oriel.Linux", "Oriel.Protocol"],
        ["Oriel.Images"] = ["Oriel.Linux", "Oriel.Protocol"],
        ["Oriel.Agent"] = ["Oriel.Protocol", "Oriel.Screen", "Oriel.Linux"],
        ["Oriel.Agents"] = ["Oriel.Protocol"],
        ["Oriel.Keeper"] = ["Oriel.Protocol", "Oriel.Linux"],
        ["Oriel.Desktops"] = ["Oriel.Protocol", "Oriel.Agents", "Oriel.Linux", "Oriel.Images", "Oriel.Egress"],
        ["Oriel.Streaming"] = ["Oriel.WebRtc", "Oriel.Agents", "Oriel.Protocol"],
        ["Oriel.Server"] =
        [
            "Oriel.Streaming",
            "Oriel.Desktops",
            "Oriel.Agents",
            "Oriel.Images",
            "Oriel.Egress",
            "Oriel.Linux",
            "Oriel.Protocol",
        ],
    };

    public static TheoryData<string> Projects =>
        [
            .. Directory
                .EnumerateFiles(Path.Combine(SourceTree.Root, "src"), "*.csproj", SearchOption.AllDirectories)
                .Select(path => Path.GetFileNameWithoutExtension(path)),
        ];

    /// <summary>From the highest project to the lowest.</summary>
    internal static IEnumerable<string> InOrder =>
        Allowed.Keys.OrderByDescending(HeightOf).ThenBy(project => project, StringComparer.Ordinal);

    /// <summary>What a project may know, in words.</summary>
    internal static string Arrows(string project) =>
        Allowed[project].Length == 0
            ? ""
            : $" (> {string.Join(", ", Allowed[project].Order(StringComparer.Ordinal).Select(known => known["Oriel.".Length..]))})";

    [Theory]
    [MemberData(nameof(Projects))]
    public void ProjectReferences_OnlyTheAllowedOnes(string project)
    {
        Assert.True(Allowed.ContainsKey(project), $"{project} is new: say in ArrowTests what it may know.");
        var references = Document(project)
            .Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));
        Assert.Empty(references.Except(Allowed[project]));
    }

    /// <summary>The lifecycle of desktops is testable without a web server, and a WebRTC library knows nothing of desktops.</summary>
    [Theory]
    [InlineData("Oriel.Desktops", "Microsoft.AspNetCore")]
    [InlineData("Oriel.Desktops", "Orleans")]
    [InlineData("Oriel.Agents", "Microsoft.AspNetCore")]
    [InlineData("Oriel.WebRtc", "Microsoft.AspNetCore")]
    [InlineData("Oriel.Images", "Microsoft.AspNetCore")]
    [InlineData("Oriel.Egress", "Microsoft.AspNetCore")]
    public void Sources_ForbiddenNamespace_IsNotUsed(string project, string forbidden)
    {
        var guilty = SourceTree
            .Sources($"src/{project}")
            .Where(path => SourceTree.Read(path).Contains(forbidden, StringComparison.Ordinal));
        Assert.Empty(guilty);
        Assert.DoesNotContain(
            Document(project).Descendants("PackageReference"),
            reference => reference.Attribute("Include")!.Value.StartsWith(forbidden, StringComparison.Ordinal)
        );
    }

    internal static string AssemblyOf(string project) => Document(project).Descendants("AssemblyName").FirstOrDefault()?.Value ?? project;

    private static int HeightOf(string project) => Allowed[project].Select(known => HeightOf(known) + 1).DefaultIfEmpty(0).Max();

    private static XDocument Document(string project) => XDocument.Load(Path.Combine(SourceTree.Root, "src", project, project + ".csproj"));
}
