using Oriel.Agent.Accounts;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;
using Oriel.Protocol.Boot;

namespace Oriel.Agent.Exec;

/// <param name="Output">Standard output, at most <see cref="CommandRunner.MaxOutputBytes"/>.</param>
internal sealed record CommandResult(ChildExit Exit, byte[] Output, string Errors)
{
    /// <exception cref="IOException">It did not end with 0.</exception>
    public CommandResult OrThrow(string what) =>
        Exit.ExitCode == 0 ? this : throw new IOException($"{what}: {Exit}{(Errors.Length > 0 ? ": " + Errors.Trim() : "")}");
}

/// <summary>Runs the short commands that the agent itself needs, to their end.</summary>
internal sealed class CommandRunner(ChildReaper reaper, BootConfig config)
{
    public const int MaxOutputBytes = 256 * 1024;

    /// <param name="timeout">On hardware.</param>
    /// <exception cref="IOException">It could not be started, or did not end in time (and is killed).</exception>
    public async Task<CommandResult> RunAsync(
        UserAccount account,
        IReadOnlyDictionary<string, string> environment,
        TimeSpan timeout,
        CancellationToken cancellationToken,
        params string[] command
    )
    {
        var (output, outputWriter) = AsyncDescriptor.CreateReader();
        var (errors, errorsWriter) = AsyncDescriptor.CreateReader();
        using (output)
        using (errors)
        {
            Child child;
            using (outputWriter)
            using (errorsWriter)
            {
                child = reaper.Spawn(
                    new SpawnSpec(command[0], command[1..], environment, account.Credentials)
                    {
                        WorkingDirectory = Directory.Exists(account.Home) ? account.Home : "/",
                        Stdout = outputWriter,
                        Stderr = errorsWriter,
                    }
                );
            }

            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout *= config.TimeScale;
            deadline.CancelAfter(timeout);
            var outputBytes = ReadAsync(output, deadline.Token);
            var errorBytes = ReadAsync(errors, deadline.Token);
            try
            {
                var exit = await child.Exited.WaitAsync(deadline.Token);
                return new CommandResult(exit, await outputBytes, System.Text.Encoding.UTF8.GetString(await errorBytes));
            }
            catch (OperationCanceledException)
            {
                var missing =
                    child.Exited.IsCompleted ? "its exit is known, its output has no end"
                    : outputBytes.IsCompletedSuccessfully ? "its output has ended, its exit is not known"
                    : "neither exit nor end of output";
                child.KillSession();
                cancellationToken.ThrowIfCancellationRequested();
                throw new IOException($"{command[0]} did not end within {timeout.TotalSeconds:0.#} s ({missing}).");
            }
        }
    }

    private static async Task<byte[]> ReadAsync(AsyncDescriptor reader, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        var buffer = new byte[8192];
        for (int n; (n = await reader.ReadAsync(buffer, cancellationToken)) > 0; )
        {
            all.Write(buffer, 0, (int)Math.Min(n, MaxOutputBytes - all.Length));
        }

        return all.ToArray();
    }
}
