using System.Text.RegularExpressions;
using Oriel.Protocol;

namespace Oriel.Tests.Structure;

/// <summary>docs/troubleshooting.md has a row for each code that a user may meet, and for none that there is not.</summary>
public sealed partial class TroubleshootingTests
{
    private const string Page = "docs/troubleshooting.md";

    [Fact]
    public void Row_EveryReasonOfADesktop_IsThere() => Assert.Empty(Words.Of(typeof(ReasonCodes)).Except(Rows("Reasons of a desktop")));

    [Fact]
    public void Row_EveryReasonOfARequest_IsThere() =>
        Assert.Empty(Words.Of(typeof(RequestReasons)).Except(Rows("Reasons of refused requests")).Except(Rows("Reasons of a desktop")));

    [Fact]
    public void Row_EveryWarning_IsThere() =>
        Assert.Empty(
            Words.Of(typeof(WarningCodes)).Except(Rows("Warnings of a desktop that goes on")).Except(Rows("Reasons of a desktop"))
        );

    [Fact]
    public void Row_EveryStep_IsThere() => Assert.Empty(Words.Of(typeof(StepNames)).Except(Rows("Steps")));

    /// <summary>Each is a word of the sources.</summary>
    [Fact]
    public void Row_NoCode_IsUnknown()
    {
        var sources = string.Concat(SourceTree.Sources().Select(SourceTree.Read));
        var rows = Row().Matches(SourceTree.Read(Page)).Select(match => match.Groups[1].Value).ToArray();
        Assert.InRange(rows.Length, 100, int.MaxValue);
        Assert.DoesNotContain(rows, code => !sources.Contains($"\"{code}\"", StringComparison.Ordinal));
        Assert.Empty(rows.GroupBy(code => code).Where(group => group.Count() > 1).Select(group => group.Key));
    }

    /// <summary>Every row says what to do, in a sentence or two.</summary>
    [Fact]
    public void Row_Each_SaysWhatToDo() =>
        Assert.All(
            Row().Matches(SourceTree.Read(Page)).Select(match => match.Groups[2].Value),
            text => Assert.InRange(text.Length, 10, 260)
        );

    private static string[] Rows(string section)
    {
        var text = SourceTree.Read(Page);
        var from = text.IndexOf($"## {section}\n", StringComparison.Ordinal);
        var to = text.IndexOf("\n## ", from, StringComparison.Ordinal);
        return [.. Row().Matches(to < 0 ? text[from..] : text[from..to]).Select(match => match.Groups[1].Value)];
    }

    [GeneratedRegex(@"^\| `([a-z-]+)` \| (.+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
