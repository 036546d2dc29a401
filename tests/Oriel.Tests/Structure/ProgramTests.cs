using System.Text.RegularExpressions;
using Oriel.Linux.Processes;

namespace Oriel.Tests.Structure;

/// <summary>
/// Every program of the host that the sources start comes with a package that ./oriel up installs, or that every Debian has.
/// </summary>
public sealed partial class ProgramTests
{
    /// <summary>Essential: yes.</summary>
    private static readonly string[] OfEveryDebian = ["bash", "coreutils", "dash", "grep"];

    /// <summary>Looked for, and done without.</summary>
    private static readonly string[] Optional = ["chromium", "firecracker"];

    private static readonly string[] Shells =
    [
        "cd",
        "do",
        "done",
        "echo",
        "exec",
        "exit",
        "fi",
        "for",
        "if",
        "printf",
        "return",
        "set",
        "shift",
        "test",
        "then",
        "while",
    ];

    /// <summary>The agent's are the guest's, whose packages its image has.</summary>
    private static string[] Sources =>
        [.. SourceTree.Sources().Where(path => !path.StartsWith("src/Oriel.Agent/", StringComparison.Ordinal)).Select(SourceTree.Read)];

    [Fact]
    public void Program_ThatIsStarted_HasItsPackageInTheTable()
    {
        string[] started =
        [
            .. Sources.SelectMany(text => Started().Matches(text)).Select(match => Path.GetFileName(match.Groups[1].Value)).Distinct(),
        ];
        Assert.Superset(new HashSet<string>(["unshare", "setpriv", "nft", "crun", "mmdebstrap", "zstd", "sh", "rm"]), started.ToHashSet());
        Assert.Empty(started.Except(Programs.Packages.Keys).Except(Optional));
    }

    [Fact]
    public void Program_OfAShellScript_HasItsPackageInTheTable()
    {
        string[] scripts =
        [
            .. Sources
                .Where(text => text.Contains("\"-c\"", StringComparison.Ordinal))
                .SelectMany(text => Script().Matches(text))
                .Select(match => match.Groups[1].Value),
        ];
        Assert.InRange(scripts.Length, 4, int.MaxValue);
        Assert.Empty(
            from script in scripts
            from Match word in Word().Matches(script)
            let name = word.Groups[1].Value
            where
                !Shells.Contains(name) && !script.Contains($"{name}() {{", StringComparison.Ordinal) && !Programs.Packages.ContainsKey(name)
            select name
        );
    }

    [Fact]
    public void Package_OfEachProgram_IsOneThatUpInstalls()
    {
        var text = SourceTree.Read("packages.txt");
        var up = text[text.IndexOf("[up]", StringComparison.Ordinal)..text.IndexOf("[test]", StringComparison.Ordinal)].Split('\n');
        Assert.Empty(Programs.Packages.Values.Distinct().Except(up).Except(OfEveryDebian));
    }

    [GeneratedRegex(
        @"(?:Process\.Start\(|ProcessStartInfo\(|\bnew HostProgram\(|\bCommand\.\w+Async\(\s*\[|\bWrap(?:Isolated)?\(|HostProgram\.RunAsync\(\s*[\w.]+,\s*[\w.]+,|ProgramAsync\(|\b(?:Require|Locate)\(|List<string> command =\s*\[|""--(?:map-auto|mount|net|uts)"",(?: ""--"",)?)\s*""(/?[a-z][\w./-]*)"""
    )]
    private static partial Regex Started();

    [GeneratedRegex(@" =\s*""{3}(.*?)""{3};", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex(@"(?:^|[;|&]|\$\(|\bexec\b|\bdo\b|\bthen\b)[ \t]*([a-z][\w.]*)(?![\w.]*[=(])", RegexOptions.Multiline)]
    private static partial Regex Word();
}
