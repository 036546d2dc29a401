using System.Collections.Frozen;
using Oriel.Protocol.Guest;

namespace Oriel.Server.Desktops;

/// <summary>What a process may be asked for.</summary>
internal static class ProcessRules
{
    private const double MaxTimeout = 7 * 24 * 3600;
    private const int MaxWindow = 1000;

    /// <summary>signal(7), by the numbers that all of Debian's architectures share but MIPS.</summary>
    private static readonly FrozenDictionary<string, int> Signals = new Dictionary<string, int>
    {
        ["HUP"] = 1,
        ["INT"] = 2,
        ["QUIT"] = 3,
        ["KILL"] = 9,
        ["USR1"] = 10,
        ["USR2"] = 12,
        ["ALRM"] = 14,
        ["TERM"] = 15,
        ["CONT"] = 18,
        ["STOP"] = 19,
        ["TSTP"] = 20,
    }.ToFrozenDictionary();

    public static string SignalNames { get; } = string.Join(", ", Signals.Keys.Order());

    /// <returns>Null: there is no such signal.</returns>
    public static int? SignalNumber(string? name) =>
        name is not null && Signals.TryGetValue(name.StartsWith("SIG", StringComparison.Ordinal) ? name[3..] : name, out var number)
            ? number
            : null;

    /// <returns>What is wrong with it; null: nothing.</returns>
    public static string? WindowProblem(int? columns, int? rows) =>
        columns is >= 1 and <= MaxWindow && rows is >= 1 and <= MaxWindow ? null : $"columns and rows must be 1 to {MaxWindow}";

    /// <returns>What is wrong with it; null: nothing.</returns>
    public static string? Check(ProcessRequest request) =>
        (IsShell(request) ? null : ExecRun.CommandProblem(request.Command))
        ?? ExecRun.SurroundingsProblem(request.Args, request.Env)
        ?? TimesProblem(request);

    private static bool IsShell(ProcessRequest request) => request is { Command: null, Pty: true, Args: null or { Count: 0 } };

    private static string? TimesProblem(ProcessRequest request) =>
        request.Timeout is { } timeout && !(timeout is > 0 and <= MaxTimeout) ? $"timeout must be above 0 and at most {MaxTimeout} seconds"
        : request.Columns is null && request.Rows is null ? null
        : !request.Pty ? "columns and rows are of a terminal: pty must be true"
        : WindowProblem(request.Columns, request.Rows);

    public static ExecStart StartOf(ProcessRequest request)
    {
        var start = ExecRun.StartOf(request.Command, request.Args, request.Env, request.Cwd, request.User, request.Timeout);
        start.Pty = request.Pty;
        start.Columns = (uint)(request.Columns ?? 0);
        start.Rows = (uint)(request.Rows ?? 0);
        return start;
    }
}
