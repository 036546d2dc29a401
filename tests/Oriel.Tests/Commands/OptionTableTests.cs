using System.CommandLine;
using System.CommandLine.Help;
using System.Text.RegularExpressions;
using Oriel.Server.Commands;
using Oriel.Server.Commands.CommandLine;
using Oriel.Tests.Structure;

namespace Oriel.Tests.Commands;

/// <summary>options.txt, by which ./oriel judges a command line before there is a program, has what the programs have.</summary>
public sealed partial class OptionTableTests
{
    private const string Bench = "bench ",
        Dev = "dev ",
        Repeatable = "; repeatable";

    [Fact]
    public void Options_OfTheScript_AreTheServers()
    {
        var programs = OrielCommands
            .Create()
            .Subcommands.SelectMany(command => Lines(command, command.Name == ServeCommand.Name ? "up" : command.Name, []));
        var table = Table()
            .Where(line => !line.StartsWith(Bench, StringComparison.Ordinal) && !line.StartsWith(Dev, StringComparison.Ordinal));
        Assert.Equal(programs.Order(StringComparer.Ordinal), table.Order(StringComparer.Ordinal));
    }

    /// <summary>./oriel dev hands its options to the same server; only the port is the page's.</summary>
    [Fact]
    public void Options_OfDev_AreOfUp()
    {
        var up = Rows("up ");
        var dev = Rows(Dev);
        Assert.NotEmpty(dev);
        Assert.Equal(["--port port once TCP port of the page, 4000 unless given; 0 = any"], dev.Except(up));

        static string[] Rows(string command) =>
            [.. from line in Table() where line.StartsWith(command, StringComparison.Ordinal) select line[command.Length..]];
    }

    /// <summary>bench/run.sh gives --out itself.</summary>
    [Fact]
    public void Options_OfTheScript_AreTheBenchs()
    {
        var source = SourceTree.Read("bench/Oriel.Bench/Program.cs");
        var table = Table().Where(line => line.StartsWith(Bench, StringComparison.Ordinal)).Select(line => line.Split(' ')).ToArray();
        Assert.Equal(
            OptionName()
                .Matches(source)
                .Select(match => match.Groups[1].Value)
                .Where(name => name != "--out")
                .Distinct()
                .Order(StringComparer.Ordinal),
            // The data directory is the script's: it starts the bench with what is in it.
            table
                .Select(words => words[1])
                .Where(name => name.StartsWith("--", StringComparison.Ordinal) && name != "--data")
                .Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            "choice:" + string.Join(',', ScenarioName().Matches(source).Select(match => match.Groups[1].Value)),
            table.Single(words => words[1] == "<scenario>")[2]
        );
    }

    private static IEnumerable<string> Lines(Command command, string path, IEnumerable<Option> above)
    {
        var options = command
            .Options.Concat(above)
            .Where(option => option is not (HelpOption or VersionOption) && !option.Hidden)
            .ToArray();
        return command.Subcommands.Count > 0
            ? command.Subcommands.SelectMany(sub => Lines(sub, $"{path}/{sub.Name}", options.Where(option => option.Recursive)))
            : options
                .Select(option =>
                    $"{path} {option.Name} {KindOf(option)} {(option.Arity.MaximumNumberOfValues > 1 ? "many" : "once")} {DescriptionOf(option)}"
                )
                .Concat(
                    command.Arguments.Select(argument =>
                        $"{path} <{argument.Name}> {KindOf(argument)} {(argument.Arity.MinimumNumberOfValues > 0 ? "needed" : "once")} {DescriptionOf(argument)}"
                    )
                );
    }

    /// <summary>./oriel says itself what may be repeated.</summary>
    private static string DescriptionOf(Symbol symbol) =>
        symbol.Description is { } text && text.EndsWith(Repeatable, StringComparison.Ordinal)
            ? text[..^Repeatable.Length]
            : symbol.Description ?? "";

    private static string KindOf(Symbol symbol) => Assert.IsType<IKinded>(symbol, exactMatch: false).KindName;

    private static IEnumerable<string> Table() =>
        from line in SourceTree.Read("options.txt").Split('\n')
        where line.Length > 0 && line[0] != '#'
        select string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    [GeneratedRegex("\"(--[a-z-]+)\"")]
    private static partial Regex OptionName();

    [GeneratedRegex("^    \\(\"(\\w+)\", \"", RegexOptions.Multiline)]
    private static partial Regex ScenarioName();
}
