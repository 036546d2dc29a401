using System.Reflection;
using System.Text.RegularExpressions;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Structure;

/// <summary>One layout of the disk: Oriel.Protocol.Layout says what lies where, and nobody else spells the names.</summary>
public sealed partial class LayoutTests
{
    private const string Home = "src/Oriel.Protocol/Layout/";

    /// <summary>The same word for something else.</summary>
    private static readonly (string Path, string Name)[] Excused =
    [
        // The keeper's own directories, in memory below the scratch directory.
        ("src/Oriel.Keeper/Drivers/Container/ContainerDriver.cs", "run"),
        ("src/Oriel.Keeper/Drivers/Container/ContainerDriver.cs", "rootfs"),
        ("src/Oriel.Keeper/Drivers/Container/ContainerDriver.cs", "state"),
        // A pipe in the VMM's directory.
        ("src/Oriel.Keeper/Drivers/Firecracker/MachineSpec.cs", "vmm.log"),
    ];

    private static readonly string[] Names =
    [
        .. ((object[])[new DataLayout("/"), new ImageDirectory("/"), new SnapshotDirectory("/"), new Bundle("/")])
            .SelectMany(place =>
                place.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(property => property.GetValue(place))
            )
            .OfType<string>()
            .Select(path => Path.GetFileName(path))
            .Where(name => name.Length > 0)
            .Distinct(),
    ];

    /// <summary>
    /// A name with a dot is a file's wherever it stands; a plain word, such as <c>run</c>, only where a path is put together.
    /// </summary>
    [Fact]
    public void NamesOfFiles_OutsideTheLayout_AreNotSpelledAgain()
    {
        var spelled = string.Join(
            '\n',
            from path in SourceTree.Sources()
            where !path.StartsWith(Home, StringComparison.Ordinal)
            let text = SourceTree.Read(path)
            from found in Spelled(text)
            where !Excused.Contains((path, found.Name))
            select $"{path}:{text.AsSpan(0, found.At).Count('\n') + 1}: \"{found.Name}\" is named by Oriel.Protocol.Layout"
        );
        Assert.True(spelled.Length == 0, spelled);
    }

    [Theory]
    [InlineData("Path.Combine(data, \"run\", name)", "run")]
    [InlineData("Path.Join(\n    data,\n    \"desktops\"\n)", "desktops")]
    [InlineData("Path.Combine(PathOf(id), \"scratch/upper\")", "scratch")]
    [InlineData("const string Name = \"oriel.db\";", "oriel.db")]
    [InlineData("$\"{data}/keeper.json\"", "keeper.json")]
    [InlineData("args is [\"run\", var path]", null)]
    [InlineData("\"/api/desktops\"", null)]
    [InlineData("/// <c>oriel.db</c> \"x\"", null)]
    public void Spelled_Sample_IsFoundWhereItIsAName(string source, string? expected) =>
        Assert.Equal(expected, Spelled(source).Select(found => found.Name).SingleOrDefault());

    /// <summary>The script reads and tests some of these by name.</summary>
    [Theory]
    [InlineData("script/host.sh")]
    [InlineData("script/build.sh")]
    public void Script_PathInTheDataDirectory_IsOneOfTheLayoutOrItsOwn(string script)
    {
        string[] own = ["app", ".oriel", "build", "dotnet-", "node-"];
        var layout = new DataLayout("");
        string[] known = [layout.Images, layout.Run, layout.ServerFile, layout.Database, layout.Token, .. own];
        var unknown =
            from match in DataPath().Matches(SourceTree.Read(script))
            let path = match.Groups["path"].Value
            where !known.Contains(path) && !known.Contains(path.Split('/')[0])
            select $"{script}: {match.Value}";
        Assert.Empty(unknown);
    }

    private static IEnumerable<(string Name, int At)> Spelled(string source)
    {
        var text = Comment().Replace(source, comment => new string(' ', comment.Length));
        var joins = Join().Matches(text).Select(join => (join.Index, End: EndOf(text, join.Index + join.Length))).ToList();
        return from literal in Literal().Matches(text)
            let isInJoin = joins.Any(call => literal.Index > call.Index && literal.Index < call.End)
            from part in literal.Groups["text"].Value.Split('/')
            where Names.Contains(part) && (isInJoin || part.Contains('.', StringComparison.Ordinal))
            select (part, literal.Index);
    }

    /// <summary>Of the bracket that was opened before <paramref name="at"/>.</summary>
    private static int EndOf(string text, int at)
    {
        for (var depth = 1; depth > 0 && at < text.Length; at++)
        {
            depth +=
                text[at] is '(' ? 1
                : text[at] is ')' ? -1
                : 0;
        }

        return at;
    }

    [GeneratedRegex(@"^\s*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"\bPath\.(Combine|Join)\(")]
    private static partial Regex Join();

    [GeneratedRegex(@"""(?<text>[^""\n]*)""")]
    private static partial Regex Literal();

    [GeneratedRegex(@"\$(data|1)/(?<path>[A-Za-z.][A-Za-z.-]*(/[a-z.]+)?)")]
    private static partial Regex DataPath();
}
