using System.Text;

namespace Oriel.Tests.Structure;

/// <summary>
/// In a project folders stand on floors: what is used lies lower. docs/architecture.md shows which folder uses which, and is the list of
/// what is allowed.
/// </summary>
public sealed class FloorTests
{
    private const string Document = "docs/architecture.md",
        Begin = "<!-- floors -->\n```text\n",
        End = "```\n<!-- /floors -->";

    /// <summary>Circles that are right to stay; at most three.</summary>
    private static readonly Dictionary<(string Project, string From, string To), string> Excused = [];

    [Theory]
    [MemberData(nameof(ArrowTests.Projects), MemberType = typeof(ArrowTests))]
    public void Folders_OfAProject_FormNoCircle(string project)
    {
        var floors = Floors.Of(project);
        var circle = floors.Circle(ExcusedOf(project));
        Assert.True(
            circle.Count == 0,
            $"{project}: {string.Join(" > ", circle)}: {string.Join("; ", circle.Zip(circle.Skip(1)).Select(arrow => floors.ExampleOf(arrow.First, arrow.Second)))}"
        );
    }

    [Fact]
    public void Excuses_AreFewAndStillNeeded()
    {
        Assert.InRange(Excused.Count, 0, 3);
        Assert.All(Excused, excuse => Assert.Contains(excuse.Key.To, Floors.Of(excuse.Key.Project).Arrows[excuse.Key.From]));
    }

    /// <summary>A new arrow is a decision: whoever takes it puts the picture of now into the document.</summary>
    [Fact]
    public void Architecture_ShowsTheFloorsAsTheyAre()
    {
        var picture = Picture();
        var text = SourceTree.Read(Document);
        var begin = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var end = text.IndexOf(End, StringComparison.Ordinal);
        Assert.True(
            begin >= Begin.Length && end > begin,
            $"{Document} has no section between {Begin.Split('\n')[0]} and {End.Split('\n')[1]}"
        );
        Assert.True(text[begin..end] == picture, $"{Document} shows other floors. They are:\n\n{picture}");
    }

    private static string Picture()
    {
        var text = new StringBuilder();
        foreach (var project in ArrowTests.InOrder)
        {
            text.Append(text.Length == 0 ? "" : "\n")
                .Append(project)
                .Append(ArrowTests.Arrows(project))
                .Append('\n')
                .Append(Floors.Of(project).Picture(ExcusedOf(project)));
        }

        return text.ToString();
    }

    private static HashSet<(string From, string To)> ExcusedOf(string project) =>
        [.. Excused.Keys.Where(excuse => excuse.Project == project).Select(excuse => (excuse.From, excuse.To))];
}
