using System.Text.RegularExpressions;

namespace Oriel.Tests.Structure;

/// <summary>SPECIFICATION.md: each promise names what shows it, and what is named exists.</summary>
public sealed partial class SpecificationTests
{
    private const string Page = "SPECIFICATION.md";

    /// <summary>The fewest rows that the page has ever had; a table that is no longer read would pass unseen.</summary>
    private const int LeastRows = 150;

    [Fact]
    public void Row_EveryPromise_IsShownOrPending()
    {
        var rows = Rows();
        Assert.InRange(rows.Count, LeastRows, int.MaxValue);
        Assert.Empty(
            from row in rows
            where row.Promise.Length == 0 || !(PendingWithReason().IsMatch(row.Shown) || OnlyReferences().IsMatch(row.Shown))
            select $"line {row.Line}: neither references alone nor 'pending: reason': {row.Shown}"
        );
    }

    [Fact]
    public void Named_TestsAndBenchmarks_Exist()
    {
        var unknown = new List<string>();
        foreach (var (line, _, shown) in Rows())
        {
            foreach (Match reference in Reference().Matches(shown))
            {
                if (!Exists(reference.Groups[1].Value, reference.Groups[2].Value))
                {
                    unknown.Add($"line {line}: {reference.Value}");
                }
            }
        }

        Assert.Empty(unknown);
    }

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

    private static List<(int Line, string Promise, string Shown)> Rows() =>
        [
            .. from line in SourceTree.Read(Page).Split('\n').Select((text, index) => (text, number: index + 1))
            let row = Row().Match(line.text)
            where row.Success && row.Groups[1].Value is not ("promise" or "---")
            select (line.number, row.Groups[1].Value, row.Groups[2].Value),
        ];

    [GeneratedRegex(@"^\|\s*(.*?)\s*\|\s*([^|]*?)\s*\|\s*$")]
    private static partial Regex Row();

    [GeneratedRegex(@"`(Oriel\.[\w.]*Tests|web|script|hosts|machine|bench/[\w.]+)(?:: ([\w.]+))?`")]
    private static partial Regex Reference();

    [GeneratedRegex(
        @"^`(Oriel\.[\w.]*Tests: \w+\.\w+|web: \w+\.\w+|(?:script|hosts|machine): \w+|bench/[\w.]+(: \w+)?)`(, `(Oriel\.[\w.]*Tests: \w+\.\w+|web: \w+\.\w+|(?:script|hosts|machine): \w+|bench/[\w.]+(: \w+)?)`)*$"
    )]
    private static partial Regex OnlyReferences();

    [GeneratedRegex(@"^pending: \S")]
    private static partial Regex PendingWithReason();
}
