using Oriel.Agent.Accounts;
using Oriel.Agent.Variables;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>A command that may be started.</summary>
/// <param name="Timeout">Null = none.</param>
internal sealed record ExecSpec(SpawnSpec Spec, bool Pty, int Columns, int Rows, TimeSpan? Timeout)
{
    private const int MaxArguments = 10_000;
    private const int MaxTextLength = 1024 * 1024;
    private const int MaxWindow = 1000;
    private const int DefaultColumns = 80;
    private const int DefaultRows = 24;
    private static readonly TimeSpan MaxTimeout = TimeSpan.FromDays(7);

    /// <returns>What to run, or what is wrong with the request.</returns>
    public static (ExecSpec? Request, string Fault) Create(
        ExecStart start,
        SessionEnvironment environment,
        Func<string, UserAccount?> findUser
    )
    {
        if (start.Command.Length == 0)
        {
            return (null, "command: is empty");
        }

        if (start.Args.Count > MaxArguments || start.Command.Length + start.Args.Sum(argument => (long)argument.Length) > MaxTextLength)
        {
            return (null, $"args: more than {MaxArguments} or {MaxTextLength} characters");
        }

        if (start.Command.Contains('\0') || start.Args.Any(argument => argument.Contains('\0')))
        {
            return (null, "command, args: contain NUL");
        }

        if (start.Env.FirstOrDefault(pair => !GuestRules.IsVariableName(pair.Key) || pair.Value.Contains('\0')) is { Key: not null })
        {
            return (null, "env: a name is not [A-Za-z_][A-Za-z0-9_]* or a value contains NUL");
        }

        if (start.Cwd.Length > 0 && (start.Cwd[0] != '/' || start.Cwd.Contains('\0')))
        {
            return (null, "cwd: is not absolute");
        }

        if (start.TimeoutMs < 0 || start.TimeoutMs > MaxTimeout.TotalMilliseconds)
        {
            return (null, $"timeout_ms: from 0 to {MaxTimeout.TotalMilliseconds:0}");
        }

        if (findUser(start.User.Length > 0 ? start.User : UserAccounts.DesktopUser) is not { } user)
        {
            return (null, "user: the guest has no such user");
        }

        var variables = environment.For(user);
        foreach (var (name, value) in start.Env)
        {
            variables[name] = value;
        }

        if (start.Pty)
        {
            variables.TryAdd("TERM", "xterm-256color");
        }

        var spec = new SpawnSpec(start.Command, [.. start.Args], variables, user.Credentials)
        {
            WorkingDirectory = start.Cwd.Length > 0 ? start.Cwd : user.Home,
            ControllingTerminal = start.Pty,
        };
        return (
            new ExecSpec(
                spec,
                start.Pty,
                Window(start.Columns, DefaultColumns),
                Window(start.Rows, DefaultRows),
                start.TimeoutMs == 0 ? null : TimeSpan.FromMilliseconds(start.TimeoutMs)
            ),
            ""
        );
    }

    public static int Window(uint given, int otherwise) => given == 0 ? otherwise : (int)Math.Min(given, MaxWindow);
}
