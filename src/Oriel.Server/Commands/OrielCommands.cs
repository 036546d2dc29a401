using System.CommandLine;
using System.CommandLine.Parsing;
using Oriel.Server.Commands.CommandLine;

namespace Oriel.Server.Commands;

/// <summary>All commands. What is wrong with a command line is said in one line, before anything is done: exit code 2.</summary>
internal static class OrielCommands
{
    public const int Refused = 2;

    /// <summary>Farther apart than this, two names are not a slip of the fingers.</summary>
    private const int MostSlips = 3;

    public static RootCommand Create() =>
        new("Oriel: disposable Linux desktops in a web page")
        {
            ServeCommand.Create(),
            TokenCommand.Create(),
            DownCommand.Create(),
            ImageCommand.Create(),
            DoctorCommand.Create(),
        };

    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter errors)
    {
        var parsed = Create().Parse(args);
        if (Problem(parsed) is { } problem)
        {
            await errors.WriteLineAsync("oriel: " + problem);
            return Refused;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync("oriel: " + e.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
    }

    /// <returns>In one line, or null.</returns>
    internal static string? Problem(ParseResult parsed)
    {
        if (parsed.Errors.Count == 0)
        {
            return null;
        }

        var command = parsed.CommandResult.Command;
        return parsed.Errors.FirstOrDefault(error => error.Message.Contains(Values.Needed, StringComparison.Ordinal))?.Message
            ?? Unmatched(parsed, command)
            ?? Missing(command, parsed)
            ?? parsed.Errors[0].Message.ReplaceLineEndings(" ");
    }

    /// <summary>As a person types it.</summary>
    private static string NameOf(CommandResult result) =>
        result.Parent is CommandResult { Parent: not null } parent ? $"{NameOf(parent)} {result.Command.Name}"
        : result.Parent is null ? "./oriel"
        : "./oriel " + (result.Command.Name == ServeCommand.Name ? "up" : result.Command.Name);

    private static string? Unmatched(ParseResult parsed, Command command)
    {
        if (parsed.UnmatchedTokens is not { Count: > 0 } unknown)
        {
            return null;
        }

        var word = unknown.FirstOrDefault(token => token.StartsWith('-')) ?? unknown[0];
        var (known, what) =
            word.StartsWith('-') ? (OptionsOf(parsed.CommandResult).Where(option => !option.Hidden).Select(option => option.Name), "option")
            : command.Subcommands.Count > 0 ? (command.Subcommands.Select(sub => sub.Name), "command")
            : ([], "argument");
        var name = word.Split('=', 2)[0];
        var near = known
            .Select(candidate => (Name: candidate, Slips: Distance(name, candidate)))
            .Where(near => near.Slips <= MostSlips)
            .OrderBy(near => near.Slips)
            .FirstOrDefault()
            .Name;
        var cure = near is null ? $"{NameOf(parsed.CommandResult)} --help lists what there is." : $"did you mean {near}?";
        return what == "argument" ? $"'{word}' is one word too many: {cure}" : $"there is no {what} '{name}': {cure}";
    }

    private static string? Missing(Command command, ParseResult parsed)
    {
        foreach (var error in parsed.Errors)
        {
            switch (error.SymbolResult)
            {
                case OptionResult { Option: IKinded kinded } option when option.Tokens.Count == 0:
                    return option.Option.Name + Values.Needed + kinded.Meaning + ".";
                case OptionResult { Option: IKinded } option when option.Tokens.Count > option.Option.Arity.MaximumNumberOfValues:
                    return $"{option.Option.Name} is given {(option.Tokens.Count == 2 ? "twice" : $"{option.Tokens.Count} times")}: it takes one value.";
                case ArgumentResult { Argument: IKinded kinded } argument
                    when argument.Tokens.Count == 0 && argument.Parent is CommandResult:
                    return $"{NameOf(parsed.CommandResult)} needs <{argument.Argument.Name}>: {argument.Argument.Description ?? kinded.Meaning}.";
                case CommandResult when command.Subcommands.Count > 0:
                    return $"{NameOf(parsed.CommandResult)} needs a command: {string.Join(", ", command.Subcommands.Select(sub => sub.Name))}.";
            }
        }

        return null;
    }

    internal static IEnumerable<Option> OptionsOf(CommandResult? result) =>
        result is null
            ? []
            : result.Command.Options.Concat(OptionsOf(result.Parent as CommandResult).Where(option => option.Recursive)).Distinct();

    /// <summary>Levenshtein's: how many letters must be changed, added or taken away.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
            }
        }

        return row[^1];
    }
}
