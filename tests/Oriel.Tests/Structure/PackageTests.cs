using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Oriel.Tests.Structure;

/// <summary>What is restored is what somebody has looked at: lock files name it, and a build takes nothing else.</summary>
public sealed class PackageTests
{
    public static TheoryData<string> Projects() =>
        [.. new[] { "src", "tests", "bench" }.SelectMany(folder => SourceTree.Sources(folder, "*.csproj")).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_HasALockFileOfThePackagesItNames(string project)
    {
        var versions = XDocument
            .Parse(SourceTree.Read("Directory.Packages.props"))
            .Descendants("PackageVersion")
            .ToDictionary(e => e.Attribute("Include")!.Value, e => e.Attribute("Version")!.Value);
        var locked = JsonNode.Parse(SourceTree.Read(Path.Combine(Path.GetDirectoryName(project)!, "packages.lock.json")))!["dependencies"]!;

        foreach (var package in XDocument.Parse(SourceTree.Read(project)).Descendants("PackageReference"))
        {
            var name = package.Attribute("Include")!.Value;
            Assert.Equal(versions[name], (string?)locked["net10.0"]?[name]?["resolved"]);
        }

        Assert.All(
            locked.AsObject().SelectMany(framework => framework.Value!.AsObject()).Where(p => (string?)p.Value!["type"] != "Project"),
            package => Assert.False(string.IsNullOrEmpty((string?)package.Value!["contentHash"]), $"{package.Key} has no hash")
        );
    }

    /// <summary>An SDK's own choice is in none: the lock files would fit that SDK alone.</summary>
    [Theory]
    [InlineData("Microsoft.DotNet.ILCompiler", "Oriel.Keeper")]
    [InlineData("Microsoft.NET.ILLink.Tasks", "Oriel.Linux")]
    public void Package_ThatTheSdkWouldChoose_IsNamed(string package, string project)
    {
        var named = XDocument.Parse(SourceTree.Read("Directory.Build.targets")).Descendants("AheadOfTimeVersion").Single().Value;
        var locked = JsonNode.Parse(SourceTree.Read($"src/{project}/packages.lock.json"))!["dependencies"]!["net10.0"]!;
        Assert.Equal(named, (string?)locked[package]?["resolved"]);
    }

    [Fact]
    public void Build_RestoresInLockedMode()
    {
        var settings = XDocument.Parse(SourceTree.Read("Directory.Build.props"));
        Assert.Equal(
            ("true", "true", "true", "all"),
            (Value("RestorePackagesWithLockFile"), Value("RestoreLockedMode"), Value("NuGetAudit"), Value("NuGetAuditMode"))
        );
        Assert.DoesNotContain("NU1603", settings.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("RestoreLockedMode", SourceTree.Read("script/build.sh") + SourceTree.Read("oriel"), StringComparison.Ordinal);
        // However npm is called to install, it is by this list.
        var script = SourceTree.Read("script/build.sh").Split('\n');
        var list = Assert.Single(script, line => line.StartsWith("npm_ci=", StringComparison.Ordinal));
        Assert.Contains(" --ignore-scripts ", list, StringComparison.Ordinal);
        Assert.DoesNotContain(script.Except([list]), line => Regex.IsMatch(line, @"npm.* (ci|install|i|add)\b"));

        string Value(string name) => settings.Descendants(name).Single().Value;
    }
}
