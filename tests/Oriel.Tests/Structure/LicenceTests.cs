using System.Text.Json;
using System.Text.RegularExpressions;

namespace Oriel.Tests.Structure;

/// <summary>
/// docs/third-party.md names every package that a restore brings, with its licence, and each licence is one that goes with Apache-2.0.
/// </summary>
public sealed partial class LicenceTests
{
    private static readonly HashSet<string> Fine =
    [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "0BSD",
        "MIT-0",
        "CC0-1.0",
        "Zlib",
        "BlueOak-1.0.0",
        "Unlicense",
    ];

    /// <summary>Weak copyleft at the level of files, in tools that build the page and do not ship in it.</summary>
    private static readonly HashSet<string> FineInBuildTools = ["MPL-2.0", "CC-BY-4.0", "Python-2.0"];

    /// <summary>How .NET's packages said so before there were expressions.</summary>
    private const string OldMit = "<licenseUrl>https://github.com/dotnet/corefx/blob/master/LICENSE.TXT</licenseUrl>";

    [Fact]
    public void NuGetPackages_AreListed() => AssertListed(NuGetPackages(), "NuGet");

    [Fact]
    public void NpmPackages_AreListed() => AssertListed(NpmPackages(), "npm");

    [Fact]
    public void Licences_GoWithOurs()
    {
        var listed = Listed("NuGet")
            .Select(line => (line, Fine))
            .Concat(Listed("npm").Select(line => (line, Fine: Fine.Union(FineInBuildTools).ToHashSet())));
        Assert.Empty(
            from entry in listed
            where !Words().Split(entry.line.Value).All(word => word is "AND" or "OR" or "WITH" or "" || entry.Fine.Contains(word))
            select $"{entry.line.Key}: {entry.line.Value}"
        );
    }

    [Fact]
    public void Licence_IsTheWholeApacheText()
    {
        var text = SourceTree.Read("LICENSE");
        Assert.Contains("Apache License", text);
        Assert.Contains("END OF TERMS AND CONDITIONS", text);
    }

    private static void AssertListed(Dictionary<string, string> used, string section)
    {
        var listed = Listed(section);
        var missing = used.Where(package =>
                !listed.TryGetValue(package.Key, out var licence) || (package.Value.Length > 0 && licence != package.Value)
            )
            .Select(package => $"| {package.Key} | {package.Value} |");
        Assert.True(
            !missing.Any(),
            $"Add to the {section} table of docs/third-party.md:\n{string.Join('\n', missing.Order(StringComparer.OrdinalIgnoreCase))}"
        );
    }

    private static Dictionary<string, string> Listed(string section)
    {
        var text = SourceTree.Read("docs/third-party.md");
        var start = text.IndexOf($"## {section}\n", StringComparison.Ordinal);
        var end = text.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return Row()
            .Matches(end < 0 ? text[start..] : text[start..end])
            .Where(row => row.Groups[1].Value != "package")
            .ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value);
    }

    /// <summary>Of all projects, by what the last restore wrote; the licence from the package's own nuspec.</summary>
    private static Dictionary<string, string> NuGetPackages()
    {
        var used = new Dictionary<string, string>();
        foreach (
            var assets in Directory.EnumerateFiles(
                Path.Combine(SourceTree.Root, "artifacts", "obj"),
                "project.assets.json",
                SearchOption.AllDirectories
            )
        )
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(assets));
            var folders = document.RootElement.GetProperty("packageFolders").EnumerateObject().Select(folder => folder.Name).ToArray();
            foreach (
                var library in document
                    .RootElement.GetProperty("libraries")
                    .EnumerateObject()
                    .Where(library => library.Value.GetProperty("type").GetString() == "package")
            )
            {
                var name = library.Name.Split('/')[0];
                var nuspec = folders
                    .Select(folder =>
                        Path.Combine(folder, library.Value.GetProperty("path").GetString()!, name.ToLowerInvariant() + ".nuspec")
                    )
                    .First(File.Exists);
                var text = File.ReadAllText(nuspec);
                var licence = NuspecLicence().Match(text);
                Assert.True(
                    licence.Success || text.Contains(OldMit, StringComparison.Ordinal),
                    $"{library.Name} does not say its licence as an SPDX expression."
                );
                used[name] = licence.Success ? licence.Groups[1].Value : "MIT";
            }
        }

        Assert.NotEmpty(used);
        return used;
    }

    private static Dictionary<string, string> NpmPackages()
    {
        using var document = JsonDocument.Parse(SourceTree.Read("web/package-lock.json"));
        var used = new Dictionary<string, string>();
        foreach (var package in document.RootElement.GetProperty("packages").EnumerateObject())
        {
            var at = package.Name.LastIndexOf("node_modules/", StringComparison.Ordinal);
            if (at >= 0 && !package.Value.TryGetProperty("link", out _))
            {
                used[package.Name[(at + "node_modules/".Length)..]] = package.Value.TryGetProperty("license", out var licence)
                    ? licence.GetString() ?? ""
                    : "";
            }
        }

        return used;
    }

    [GeneratedRegex(@"^\| (\S+) \| ([^|]+?) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"<license type=""expression"">([^<]+)<")]
    private static partial Regex NuspecLicence();

    [GeneratedRegex(@"[\s()]+")]
    private static partial Regex Words();
}
