using Oriel.Linux.Processes;

namespace Oriel.Images.Tools;

/// <summary>Runs a tool to its end; when cancelled, ends it with all its children first.</summary>
internal static class Command
{
    private const int KeptLines = 40;

    /// <summary>Its standard output line by line to <paramref name="onLine"/>, errors too.</summary>
    /// <exception cref="CommandFailedException">It could not start, or its exit code is not 0.</exception>
    public static async Task RunAsync(IReadOnlyList<string> command, Action<string>? onLine, CancellationToken cancellationToken)
    {
        var last = new Queue<string>();
        var program = new HostProgram(command[0], command.Skip(1))
        {
            OnLine = line =>
            {
                last.Enqueue(line);
                if (last.Count > KeptLines)
                {
                    last.Dequeue();
                }

                onLine?.Invoke(line);
            },
        };
        ThrowUnlessDone(await program.RunAsync(cancellationToken), last);
    }

    /// <summary>Its standard output as a whole; meant for short answers.</summary>
    /// <exception cref="CommandFailedException">It could not start, or its exit code is not 0.</exception>
    public static async Task<string> ReadAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var end = await new HostProgram(command[0], command.Skip(1)).RunAsync(cancellationToken);
        ThrowUnlessDone(end, LinesOf(end.Errors));
        return end.Output;
    }

    /// <summary>Its standard output as a stream.</summary>
    /// <exception cref="CommandFailedException">It could not start, or its exit code is not 0.</exception>
    public static async Task StreamAsync(
        IReadOnlyList<string> command,
        Func<Stream, CancellationToken, Task> read,
        CancellationToken cancellationToken
    )
    {
        var end = await new HostProgram(command[0], command.Skip(1)) { ReadOutput = read }.RunAsync(cancellationToken);
        ThrowUnlessDone(end, LinesOf(end.Errors));
    }

    private static string[] LinesOf(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static void ThrowUnlessDone(ProgramEnd end, IReadOnlyCollection<string> lines)
    {
        if (end.Fault is { } fault)
        {
            throw new CommandFailedException(fault, lines);
        }
    }
}

/// <summary>A tool ended with an error; the message has the last lines that it printed.</summary>
public sealed class CommandFailedException(string fault, IReadOnlyCollection<string> lastLines)
    : Exception(fault + (lastLines.Count == 0 ? "." : ":\n  " + string.Join("\n  ", lastLines)));
