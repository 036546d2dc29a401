using System.Reflection;
using System.Text.RegularExpressions;
using Oriel.Egress.Policy;
using Oriel.Protocol;

namespace Oriel.Tests.Structure;

/// <summary>
/// The words at borders stand once, in src/Oriel.Protocol: documents and page have the same, and the sources no second copy.
/// </summary>
public sealed partial class WordTests
{
    public static TheoryData<string, string[]> Sets =>
        new()
        {
            { "reasons of refused requests", Words.Of(typeof(RequestReasons)) },
            { "reasons of a desktop", Words.Of(typeof(ReasonCodes)) },
            { "warnings", Words.Of(typeof(WarningCodes)) },
            { "reasons of a guest's connection", [.. EgressReasons()] },
            { "steps of the server", [.. StepNames.OfServer] },
            { "steps of the keeper", [.. StepNames.OfKeeper] },
            { "steps of the guest", [.. StepNames.OfGuest] },
        };

    [Theory]
    [MemberData(nameof(Sets))]
    public void Documents_HaveTheSameWords(string of, string[] words)
    {
        var row = SourceTree.Read("docs/protocol.md").Split('\n').Single(line => line.StartsWith($"| {of} |", StringComparison.Ordinal));
        Assert.Equal(words.Order(), Code().Matches(row).Select(match => match.Groups[1].Value).Order());
    }

    [Fact]
    public void Steps_EachIsSomebodys() =>
        Assert.Equal(Words.Of(typeof(StepNames)).Order(), StepNames.OfServer.Concat(StepNames.OfKeeper).Concat(StepNames.OfGuest).Order());

    [Fact]
    public void Page_NamesEachStep_AndNoOther()
    {
        var steps = SourceTree.Read("web/src/ui/steps.ts");
        var titles = Section(steps, "const titles: Record<string, string> = {", "};");
        Assert.Equal(Words.Of(typeof(StepNames)).Order(), Key().Matches(titles).Select(match => match.Groups[1].Value).Order());
        var phases = Section(steps, "const phases:", "\n];");
        Assert.Empty(
            Quoted().Matches(Steps().Replace(phases, "$1")).Select(match => match.Groups[1].Value).Except(Words.Of(typeof(StepNames)))
        );
    }

    [Fact]
    public void Page_ExplainsEachReason_AndNoOther()
    {
        string[] own = ["destroying", "server-unreachable"];
        string[] explained =
        [
            .. Key()
                .Matches(Section(SourceTree.Read("web/src/ui/reasons.ts"), "const known:", "\n};"))
                .Select(match => match.Groups[1].Value)
                .Except(own),
        ];
        Assert.Empty(Words.Of(typeof(ReasonCodes)).Except(explained));
        Assert.Empty(explained.Except(Words.Of(typeof(ReasonCodes))).Except(Words.Of(typeof(RequestReasons))));
    }

    /// <summary>A word of two parts or more means nothing else: where the sources write it, they copy it.</summary>
    [Fact]
    public void Sources_HaveNoCopy()
    {
        string[] words =
        [
            .. new[] { typeof(StepNames), typeof(ReasonCodes), typeof(RequestReasons), typeof(WarningCodes) }
                .SelectMany(Words.Of)
                .Where(word => word.Contains('-', StringComparison.Ordinal))
                .Distinct(),
        ];
        Assert.Empty(
            SourceTree
                .Sources()
                .Where(path => !path.StartsWith("src/Oriel.Protocol/", StringComparison.Ordinal))
                .SelectMany(path =>
                    Quoted()
                        .Matches(SourceTree.Read(path))
                        .Select(match => match.Groups[1].Value)
                        .Where(words.Contains)
                        .Select(word => $"{path}: \"{word}\"")
                )
        );
    }

    [Fact]
    public void Page_NamesEachReasonOfAConnection_AndNoOther() =>
        Assert.Equal(
            EgressReasons().Order(),
            Key()
                .Matches(Section(SourceTree.Read("web/src/ui/egress-words.ts"), "const reasons:", "};"))
                .Select(match => match.Groups[1].Value)
                .Order()
        );

    private static IEnumerable<string> EgressReasons() =>
        typeof(EgressReason)
            .GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => ((EgressReason)field.GetValue(null)!).Code);

    private static string Section(string text, string from, string to)
    {
        var at = text.IndexOf(from, StringComparison.Ordinal);
        Assert.True(at >= 0, $"'{from}' is not there");
        return text[at..text.IndexOf(to, at, StringComparison.Ordinal)];
    }

    [GeneratedRegex("`([a-z-]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("^  \"?([a-z-]+)\"?: [\"{]", RegexOptions.Multiline)]
    private static partial Regex Key();

    [GeneratedRegex("\"([a-z-]+)\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("title: \"[^\"]*\"(, steps)")]
    private static partial Regex Steps();
}
