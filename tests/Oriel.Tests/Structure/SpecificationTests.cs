using System.Text.RegularExpressions;

namespace Oriel.Tests.Structure;

/// <summary>Each promise of SPECIFICATION.md has tests that exist in SPECIFICATION.tests.txt, or is pending with a reason.</summary>
public sealed partial class SpecificationTests
{
    private const string Page = "SPECIFICATION.md";
    private const string References = "SPECIFICATION.tests.txt";

    /// <summary>The fewest promises that the page has ever had; a form that is no longer read would pass unseen.</summary>
    private const int FewestPromises = 150;

    [Fact]
    public void Promise_Each_IsShownOrPending()
    {
        var promises = Promises();
        Assert.InRange(promises.Count, FewestPromises, int.MaxValue);
        Assert.All(promises, promise => Assert.NotEmpty(promise.Text));
        Assert.Equal(
            promises.Count,
            SourceTree.Read(Page).Split('\n').Count(line => line.TrimStart().StartsWith("- ", StringComparison.Ordinal))
        );
        Assert.DoesNotContain("\n|", SourceTree.Read(Page));
        Assert.Empty(promises.GroupBy(promise => promise.Id).Where(same => same.Count() > 1).Select(same => same.Key));
        Assert.DoesNotContain(promises, promise => promise.Text.Contains("**", StringComparison.Ordinal) && !IsPending(promise.Text));
        Assert.Equal(
            promises.Where(promise => !IsPending(promise.Text)).Select(promise => promise.Id),
            Shown().Select(line => line.Id).Distinct()
        );
    }

    [Fact]
    public void Named_TestsAndBenchmarks_Exist()
    {
        var shown = Shown();
        Assert.All(shown, line => Assert.Matches(OnlyReference(), line.Reference));
        Assert.Equal(shown.Distinct(), shown);
        var quoted =
            from promise in Promises()
            from Match match in Quoted().Matches(promise.Text)
            select (promise.Id, Reference: match.Groups[1].Value);
        Assert.Empty(
            from line in shown.Concat(quoted)
            let named = OnlyReference().Match(line.Reference)
            where !Exists(named.Groups[1].Value, named.Groups[2].Value)
            select line
        );
    }

    private static bool IsPending(string promise) => PendingWithReason().IsMatch(promise);

    /// <summary>Items of a list that begin with an id; a longer one goes on in indented lines.</summary>
    private static List<(string Id, string Text)> Promises() =>
        [
            .. from item in Item().Matches(SourceTree.Read(Page))
            select (item.Groups[1].Value, Blanks().Replace(item.Groups[2].Value, " ").Trim()),
        ];

    /// <summary>The lines of the file beside the page, in their order: an id and one reference.</summary>
    private static List<(string Id, string Reference)> Shown() =>
        [
            .. from line in SourceTree.Read(References).Split('\n')
            where line.Length > 0 && !line.StartsWith('#')
            let parts = line.Split(' ', 2)
            select (parts[0], parts.Length > 1 ? parts[1] : ""),
        ];

    private static bool Exists(string place, string name)
    {
        var (head, tail) = name.Split('.', 2) is [var first, var second] ? (first, second) : (name, "");
        if (place.StartsWith("bench/", StringComparison.Ordinal))
        {
            return Directory.Exists(Path.Combine(SourceTree.Root, place))
                && (
                    name.Length == 0
                    || SourceTree.Sources(place).Any(path => SourceTree.Read(path).Contains($"\"{name}\"", StringComparison.Ordinal))
                );
        }

        if (place == "web")
        {
            var file = Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "web", "test"), head + ".test.?s").FirstOrDefault() ?? "";
            return File.Exists(file) && (tail == "test" || File.ReadAllText(file).Contains($"test(\"{tail}\"", StringComparison.Ordinal));
        }

        if (ScriptOf(place) is { } script)
        {
            return SourceTree.Read(script).Contains($"\n{name}() {{", StringComparison.Ordinal);
        }

        // A test is a method with an attribute; the file that declares its class is where it must stand.
        return Directory.Exists(Path.Combine(SourceTree.Root, "tests", place))
            && SourceTree
                .Sources($"tests/{place}")
                .Select(SourceTree.Read)
                .Any(text =>
                    Regex.IsMatch(text, $@"\bclass {Regex.Escape(head)}\b")
                    && Regex.IsMatch(
                        text,
                        $@"\[(Fact|Theory)\b(?:(?!\bpublic ).)*?\bpublic (?:(?:async )?Task|void) {Regex.Escape(tail)}\(",
                        RegexOptions.Singleline
                    )
                );
    }

    /// <summary>The file whose functions are the tests of a ring that is a script.</summary>
    private static string? ScriptOf(string place) =>
        place switch
        {
            "script" => "tests/script.sh",
            "hosts" => "tests/host-life.sh",
            "machine" => "tests/machine.sh",
            _ => null,
        };

    [GeneratedRegex(@"^ *- `([a-z]+-[0-9]+)`(.*(?:\n(?> +)(?!- ).*)*)", RegexOptions.Multiline)]
    private static partial Regex Item();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();

    [GeneratedRegex(
        @"^(Oriel\.[\w.]*Tests(?=: \w+\.\w+$)|web(?=: [\w-]+\.\w+$)|(?:script|hosts|machine)(?=: \w+$)|bench/[\w.]+)(?:: ([\w.-]+))?$"
    )]
    private static partial Regex OnlyReference();

    [GeneratedRegex(@"`((?:Oriel\.[\w.]*Tests|web|script|hosts|machine|bench/[\w.]+)(?:: [\w.]+)?)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\S \*\*Pending:\*\* \S")]
    private static partial Regex PendingWithReason();
}
