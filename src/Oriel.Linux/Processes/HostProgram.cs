using System.Diagnostics;

namespace Oriel.Linux.Processes;

/// <summary>
/// A short program of the host, run to its end: it has exited and nobody holds its outputs open. One that takes too long, prints too much
/// or is cancelled is killed with all that it started.
/// </summary>
/// <param name="program">A path, or a name that is looked for in PATH.</param>
public sealed class HostProgram(string program, params IEnumerable<string> arguments)
{
    /// <summary>As a shell has it for a command that it cannot start.</summary>
    private static readonly ChildExit NotStarted = new(127, 0);

    internal string Name => program;

    /// <summary>What it reads on standard input. Default: nothing.</summary>
    public string? Input { get; init; }

    /// <summary>Default: none.</summary>
    public TimeSpan Deadline { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Characters of standard output; a program that prints more is killed. Default: 1,048,576.</summary>
    public int MaxOutput { get; init; } = 1 << 20;

    /// <summary>
    /// Takes the lines of standard output and standard error as they come, one at a time and as many as there are;
    /// <see cref="ProgramEnd.Output"/> is then empty.
    /// </summary>
    public Action<string>? OnLine { get; init; }

    /// <summary>
    /// Reads standard output; <see cref="ProgramEnd.Output"/> is then empty. A program with more to say than is read ends by a broken pipe.
    /// </summary>
    public Func<Stream, CancellationToken, Task>? ReadOutput { get; init; }

    /// <summary>A failure is a value, also that of a program that is not there or was killed at its deadline.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled and has been killed.</exception>
    public async Task<ProgramEnd> RunAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Process process;
        try
        {
            process = Programs.Start(StartInfo());
        }
        catch (ProgramException e)
        {
            return new ProgramEnd(ProgramOutcome.NotStarted, NotStarted, "", "", e.Message);
        }

        using var run = new ProgramRun(this, process, cancellationToken);
        return await run.EndAsync();
    }

    /// <returns>Standard output.</returns>
    /// <exception cref="ProgramException">It did not succeed; says how it ended, and its last words.</exception>
    public async Task<string> OutputAsync(CancellationToken cancellationToken)
    {
        var end = await RunAsync(cancellationToken);
        return end.Problem is { } problem ? throw new ProgramException(problem) : end.Output;
    }

    private ProcessStartInfo StartInfo()
    {
        var info = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Messages and sort order must not depend on the caller's locale.
        info.Environment["LC_ALL"] = "C.UTF-8";
        return info;
    }
}
