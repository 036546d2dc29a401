using System.Reflection;
using System.Text.RegularExpressions;
using Oriel.Desktops.Lifecycle;

namespace Oriel.Tests.Structure;

/// <summary>docs/troubleshooting.md has a row for each code that a user may meet, and for none that there is not.</summary>
public sealed partial class TroubleshootingTests
{
    private const string Page = "docs/troubleshooting.md";

    [Fact]
    public void Row_EveryReasonOfADesktop_IsThere() => Assert.Empty(
        Constants(typeof(ReasonCodes)).Concat(Found("src/Oriel.Keeper", GuestExit())).Except(Rows("Reasons of a desktop")));

    [Fact]
    public void Row_EveryReasonOfARequest_IsThere() => Assert.Empty(
        Found("src/Oriel.Server", RequestReason()).Concat(Found("src/Oriel.Desktops", RequestReason()))
            .Except(Rows("Reasons of refused requests")).Except(Rows("Reasons of a desktop")));

    [Fact]
    public void Row_EveryWarning_IsThere() => Assert.Empty(
        Constants(typeof(WarningCodes)).Except(Rows("Warnings of a desktop that goes on")).Except(Rows("Reasons of a desktop")));

    [Fact]
    public void Row_EveryStep_IsThere() => Assert.Empty(
        CreationSteps.Order
            .Concat(((string[])["src/Oriel.Desktops", "src/Oriel.Keeper", "src/Oriel.Agent"]).SelectMany(folder => Found(folder, Step())))
            .Except(Rows("Steps")));

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
    public void Row_Each_SaysWhatToDo() => Assert.All(
        Row().Matches(SourceTree.Read(Page)).Select(match => match.Groups[2].Value), text => Assert.InRange(text.Length, 10, 260));

    private static IEnumerable<string> Constants(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!);

    private static IEnumerable<string> Found(string folder, Regex pattern)
    {
        string[] found = [.. SourceTree.Sources(folder).SelectMany(path => pattern.Matches(SourceTree.Read(path))).Select(match => match.Groups[1].Value).Distinct()];
        Assert.NotEmpty(found);
        return found;
    }

    private static string[] Rows(string section)
    {
        var text = SourceTree.Read(Page);
        var from = text.IndexOf($"## {section}\n", StringComparison.Ordinal);
        var to = text.IndexOf("\n## ", from, StringComparison.Ordinal);
        return [.. Row().Matches(to < 0 ? text[from..] : text[from..to]).Select(match => match.Groups[1].Value)];
    }

    [GeneratedRegex(@"^\| `([a-z-]+)` \| (.+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"GuestExit\(""([a-z-]+)""")]
    private static partial Regex GuestExit();

    [GeneratedRegex(@"(?:Status[45]\d\d\w+,[^"";]*|\b[45]\d\d => |Refuse\w*\([^"";]*|UnavailableException\(|new\(null, )""([a-z]+(?:-[a-z]+)*)""")]
    private static partial Regex RequestReason();

    [GeneratedRegex(@"(?:[sS]teps\.RunAsync|AwaitWindowAsync|Begin|\bStep)\((?:steps, )?\s*""([a-z]+(?:-[a-z]+)*)""")]
    private static partial Regex Step();
}
