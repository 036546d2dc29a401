using System.Text;
using Grpc.Core;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>A process that runs whether or not anybody watches it. Safe for concurrent use.</summary>
/// <param name="log">What the command writes.</param>
internal sealed class GuestProcess(string id, ExecStart start, OutputLog log, RunningCommand command, TimeProvider clock)
{
    private const int MaxShownCharacters = 1000;

    private readonly string _shown = Show(start);
    private readonly DateTimeOffset _started = clock.GetUtcNow();
    private DateTimeOffset _ended;

    public string Id => id;

    public bool HasEnded => log.Exit is not null;

    public ProcessInfo Info
    {
        get
        {
            var exit = log.Exit;
            return new ProcessInfo
            {
                Id = id,
                Pid = command.Pid,
                CommandLine = _shown,
                Pty = start.Pty,
                StartedUs = Microseconds(_started),
                EndedUs = exit is null ? 0 : Microseconds(_ended),
                Exit = exit,
                OutputFrom = log.Begin,
                OutputEnd = log.End,
            };
        }
    }

    /// <summary>To its exit.</summary>
    /// <param name="cancellationToken">Kills it.</param>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        ExecExit exit;
        try
        {
            exit = await command.RunAsync(_ => Task.CompletedTask, cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            exit = new ExecExit { ExitCode = -1, Error = e is IOException ? e.Message : "the guest ended" };
        }

        _ended = clock.GetUtcNow();
        log.Complete(exit);
        command.Dispose();
    }

    /// <exception cref="RpcException">FailedPrecondition: it has ended, or its input has.</exception>
    public async Task TakeAsync(ExecInput input, CancellationToken cancellationToken)
    {
        try
        {
            if (!HasEnded)
            {
                await command.TakeAsync(input, cancellationToken);
                return;
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or IOException)
        {
            // It ends at this moment.
        }

        if (input.KindCase != ExecInput.KindOneofCase.EndOfStdin)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "the process has ended"));
        }
    }

    /// <summary>
    /// Hands on where it begins, what is kept from <paramref name="from"/> on, and with <paramref name="follow"/> what comes, to the exit.
    /// </summary>
    public async Task WatchAsync(long from, bool follow, IServerStreamWriter<ProcessOutput> writer, CancellationToken cancellationToken)
    {
        var at = Math.Clamp(from, log.Begin, log.End);
        await writer.WriteAsync(new ProcessOutput { Offset = at }, cancellationToken);
        while (true)
        {
            var changed = log.Changed;
            var exit = log.Exit;
            while (log.Read(at) is { } output)
            {
                await writer.WriteAsync(output, cancellationToken);
                at = output.Offset + (output.KindCase == ProcessOutput.KindOneofCase.Stdout ? output.Stdout : output.Stderr).Length;
            }

            if (exit is not null)
            {
                await writer.WriteAsync(new ProcessOutput { Offset = at, Exit = exit }, cancellationToken);
                return;
            }

            if (!follow)
            {
                return;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>It and everything of its session; waits until it has ended.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        for (var changed = log.Changed; !HasEnded; changed = log.Changed)
        {
            command.Kill();
            await changed.WaitAsync(cancellationToken);
        }
    }

    private static long Microseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>As somebody would have typed it, so far as it matters to know it again.</summary>
    private static string Show(ExecStart start)
    {
        var text = new StringBuilder(start.Command);
        foreach (var argument in start.Args)
        {
            if (text.Length > MaxShownCharacters)
            {
                break;
            }

            text.Append(' ').Append(argument);
        }

        return text.Length > MaxShownCharacters ? text.ToString(0, MaxShownCharacters) + "…" : text.ToString();
    }
}
