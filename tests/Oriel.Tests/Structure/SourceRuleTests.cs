using System.Text.RegularExpressions;

namespace Oriel.Tests.Structure;

public sealed partial class SourceRuleTests
{
    private const int UsualLines = 400;
    private const int MaxLines = 600;
    private const int MaxTallFiles = 6;

    /// <summary>Where alone native code may be called: system calls, and the libraries of the guest's screen.</summary>
    private static readonly string[] NativeProjects = ["src/Oriel.Linux", "src/Oriel.Screen"];

    [Fact]
    public void NativeCode_OutsideOrielLinuxAndScreen_IsNotThere() =>
        Assert.Empty(
            Matches(NativeCode(), path => !NativeProjects.Any(project => path.StartsWith(project + "/", StringComparison.Ordinal)))
        );

    /// <summary>The C library is called in one place, by one set of names; what it refuses is a LinuxException.</summary>
    [Fact]
    public void LibcCall_OutsideOrielLinuxCalls_IsNotThere() =>
        Assert.Empty(Matches(LibcImport(), path => !path.StartsWith("src/Oriel.Linux/Calls/", StringComparison.Ordinal)));

    /// <summary>XPainter is the other X client that the screen is tested with; it needs more of Xlib than the agent does.</summary>
    [Fact]
    public void NativeCall_InTestsAndBench_IsXPaintersAlone() =>
        Assert.Equal(
            ["tests/Oriel.TestSupport/XPainter.cs"],
            SourceTree.Sources("tests").Concat(SourceTree.Sources("bench")).Where(path => NativeImport().IsMatch(SourceTree.Read(path)))
        );

    [Fact]
    public void UnsafeBlock_InNativeProjects_SaysWhyItIsSafe()
    {
        var silent =
            from project in NativeProjects
            from path in SourceTree.Sources(project)
            let text = SourceTree.Read(path)
            where UnsafeCode().IsMatch(text) && !text.Contains("// SAFETY:", StringComparison.Ordinal) && PointerUse().IsMatch(text)
            select path;
        Assert.Empty(silent);
    }

    /// <summary>
    /// A wait is for an event with a deadline. Back-off between attempts and pacing by a clock take a TimeProvider, which this does not
    /// match.
    /// </summary>
    [Fact]
    public void FixedSleep_InSources_IsNotThere() => Assert.Empty(Matches(FixedSleep(), _ => true));

    [Fact]
    public void UnfinishedWork_InSources_IsNotThere() => Assert.Empty(Matches(Unfinished(), _ => true));

    /// <summary>A few files of one dense matter may pass 400 lines; none may be a class at the centre of everything.</summary>
    [Fact]
    public void Files_AreShortEnoughToRead()
    {
        (string Path, int Lines)[] tall =
        [
            .. SourceTree
                .Sources()
                .Select(path => (path, SourceTree.Read(path).AsSpan().Count('\n')))
                .Where(file => file.Item2 > UsualLines),
        ];
        foreach (var (path, lines) in tall)
        {
            TestContext.Current.AddWarning($"{path} has {lines} lines");
        }

        Assert.DoesNotContain(tall, file => file.Lines > MaxLines);
        Assert.True(tall.Length <= MaxTallFiles, $"{tall.Length} files of more than {UsualLines} lines: {string.Join(", ", tall)}");
    }

    private static IEnumerable<string> Matches(Regex pattern, Func<string, bool> applies) =>
        from path in SourceTree.Sources()
        where applies(path)
        from line in SourceTree.Read(path).Split('\n').Select((text, index) => (text, number: index + 1))
        where pattern.IsMatch(line.text)
        select $"{path}:{line.number}: {line.text.Trim()}";

    [GeneratedRegex(
        @"\[(LibraryImport|DllImport)\b|\bunsafe\b(?!-)(?![^""]*""[^""]*$)\s*[\{sp]|\bMarshal\.(Read|Write|AllocHGlobal|PtrTo)"
    )]
    private static partial Regex NativeCode();

    [GeneratedRegex(@"\[(LibraryImport|DllImport)\b")]
    private static partial Regex NativeImport();

    [GeneratedRegex(@"\[(LibraryImport|DllImport)\(""libc""")]
    private static partial Regex LibcImport();

    [GeneratedRegex(@"\bunsafe\b")]
    private static partial Regex UnsafeCode();

    [GeneratedRegex(@"\bfixed\s*\(|\bstackalloc\b[^;]*\*|\w+->\w+|\bnew\s+(ReadOnly)?Span<\w+>\(\(")]
    private static partial Regex PointerUse();

    [GeneratedRegex(
        @"\bThread\.Sleep\(|\bTask\.Delay\(\s*(\d|TimeSpan\.From\w+\(\d[\d_.]*\)\s*[,)](?!\s*\w*(time|clock)))",
        RegexOptions.IgnoreCase
    )]
    private static partial Regex FixedSleep();

    [GeneratedRegex(@"\bTODO\b|\bFIXME\b|\bHACK\b|NotImplementedException")]
    private static partial Regex Unfinished();
}
