using System.ComponentModel;
using System.Diagnostics;
using Oriel.Linux.Processes;

namespace Oriel.Images.Tools;

/// <summary>Runs a program to its end; when cancelled, ends it with all its children first.</summary>
internal static class Command
{
    private const int KeptLines = 40;

    /// <summary>Its standard output line by line to <paramref name="onLine"/>, errors too.</summary>
    /// <exception cref="CommandFailedException">It could not start, or its exit code is not 0.</exception>
    public static async Task RunAsync(IReadOnlyList<string> command, Action<string>? onLine, CancellationToken cancellationToken)
    {
        using var running = Start(command);
        var process = running.Process;
        var last = new Queue<string>();
        void Keep(string line)
        {
            lock (last)
            {
                last.Enqueue(line);
                if (last.Count > KeptLines)
                {
                    last.Dequeue();
                }

                onLine?.Invoke(line);
            }
        }

        await running.WaitAsync(
            () => Task.WhenAll(ReadLinesAsync(process.StandardOutput, Keep), ReadLinesAsync(process.StandardError, Keep)),
            cancellationToken
        );
        ThrowUnlessZero(command, process.ExitCode, [.. last]);
    }

    /// <summary>Its standard output as a whole; meant for short answers.</summary>
    /// <exception cref="CommandFailedException">It could not start, or its exit code is not 0.</exception>
    public static async Task<string> ReadAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var output = "";
        await StreamAsync(
            command,
            async stream =>
            {
                using var reader = new StreamReader(stream);
                output = await reader.ReadToEndAsync(CancellationToken.None);
            },
            cancellationToken
        );
        return output;
    }

    /// <summary>Its standard output as a stream.</summary>
    /// <exception cref="CommandFailedException">It could not start, or its exit code is not 0.</exception>
    public static async Task StreamAsync(IReadOnlyList<string> command, Func<Stream, Task> read, CancellationToken cancellationToken)
    {
        using var running = Start(command);
        var process = running.Process;
        var errors = new List<string>();
        await running.WaitAsync(
            () =>
                Task.WhenAll(
                    read(process.StandardOutput.BaseStream),
                    ReadLinesAsync(
                        process.StandardError,
                        line =>
                        {
                            if (errors.Count < KeptLines)
                            {
                                errors.Add(line);
                            }
                        }
                    )
                ),
            cancellationToken
        );
        ThrowUnlessZero(command, process.ExitCode, errors);
    }

    private static void ThrowUnlessZero(IReadOnlyList<string> command, int exitCode, IReadOnlyList<string> lines)
    {
        if (exitCode != 0)
        {
            throw new CommandFailedException(command[0], exitCode, lines);
        }
    }

    private static Running Start(IReadOnlyList<string> command)
    {
        var info = new ProcessStartInfo(command[0])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var argument in command.Skip(1))
        {
            info.ArgumentList.Add(argument);
        }

        // C: messages and sort order of the tools must not hang on the caller's locale.
        info.Environment["LC_ALL"] = "C.UTF-8";
        try
        {
            var process = Process.Start(info)!;
            process.StandardInput.Close();
            return new Running(process);
        }
        catch (Win32Exception e)
        {
            throw new CommandFailedException(command[0], 127, [Programs.Problem(Programs.SearchPath, command[0]) ?? e.Message]);
        }
    }

    private static async Task ReadLinesAsync(StreamReader reader, Action<string> onLine)
    {
        while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
        {
            onLine(line);
        }
    }

    private sealed class Running(Process process) : IDisposable
    {
        public Process Process => process;

        public async Task WaitAsync(Func<Task> read, CancellationToken cancellationToken)
        {
            using (cancellationToken.UnsafeRegister(_ => Kill(), null))
            {
                try
                {
                    await read();
                }
                finally
                {
                    // When the reader gave up, the program must not go on writing into a pipe that nobody empties.
                    if (cancellationToken.IsCancellationRequested)
                    {
                        Kill();
                    }

                    process.StandardOutput.Close();
                    await process.WaitForExitAsync(CancellationToken.None);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
        }

        public void Dispose() => process.Dispose();

        private void Kill() => ProcessTree.Kill(process);
    }
}

/// <summary>A tool ended with an error; the message has the last lines that it printed.</summary>
public sealed class CommandFailedException(string program, int exitCode, IReadOnlyList<string> lastLines)
    : Exception($"{program} ended with {exitCode}" + (lastLines.Count == 0 ? "." : ":\n  " + string.Join("\n  ", lastLines)))
{
    public int ExitCode => exitCode;
}
