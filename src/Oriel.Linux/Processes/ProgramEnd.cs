namespace Oriel.Linux.Processes;

/// <summary>How far a <see cref="HostProgram"/> came.</summary>
public enum ProgramOutcome
{
    /// <summary>It exited, or something else killed it.</summary>
    Ended,

    /// <summary>It is not there, or the kernel did not run it.</summary>
    NotStarted,

    /// <summary>It was killed at its deadline.</summary>
    TimedOut,

    /// <summary>It was killed when it had printed more than was allowed.</summary>
    PrintedTooMuch,
}

/// <summary>How a <see cref="HostProgram"/> ended.</summary>
/// <param name="exit">Code 127 where it was not started.</param>
/// <param name="output">Standard output, at most as much as was allowed.</param>
/// <param name="errors">The last 2,000 characters of standard error.</param>
/// <param name="fault">See <see cref="Fault"/>.</param>
public sealed class ProgramEnd(ProgramOutcome outcome, ChildExit exit, string output, string errors, string? fault)
{
    public ProgramOutcome Outcome => outcome;

    public ChildExit Exit => exit;

    public string Output => output;

    public string Errors => errors;

    public bool Succeeded => fault is null;

    /// <summary>Names the program and how it ended, or what to install; null when it succeeded.</summary>
    public string? Fault => fault;

    /// <summary>The fault with the program's last words; null when it succeeded.</summary>
    public string? Problem => fault is not null && errors.Trim() is { Length: > 0 } words ? $"{fault}: {words}" : fault;
}

/// <summary>A program of the host is missing or failed. The message says which and why, and what to do where that is known.</summary>
public sealed class ProgramException(string message, Exception? cause = null) : InvalidOperationException(message, cause);
