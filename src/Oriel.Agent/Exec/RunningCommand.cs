using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Linux;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>
/// One command from its start to its exit. Output is read only as fast as it is taken, so a command that writes more waits; input is
/// buffered up to <see cref="MaxWaitingInput"/> messages, then who gives it waits. When the run is cancelled or the time is over, the
/// command's whole session is killed. When the command has ended, what it wrote is handed on and the run ends: processes that it left in
/// the background live on, but nobody reads what they write.
/// </summary>
/// <param name="output">Gets what the command writes, one message at a time.</param>
internal sealed class RunningCommand(
    ExecStreams streams,
    Child child,
    ExecSpec spec,
    Func<ExecOutput, CancellationToken, Task> output,
    TimeProvider clock
) : IDisposable
{
    private const int MaxWaitingInput = 32;
    private const int BufferBytes = 32 * 1024;
    private const byte EndOfTransmission = 4;

    /// <summary>What a pipe can hold (pipe(7)): no more than this can have been written before the command ended.</summary>
    private const int PipeBytes = 64 * 1024;

    /// <summary>The kernel hangs a terminal up when its session's leader has ended; this is for one that it does not.</summary>
    private static readonly TimeSpan HangUpDeadline = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly Channel<ReadOnlyMemory<byte>> _stdin = Channel.CreateBounded<ReadOnlyMemory<byte>>(
        new BoundedChannelOptions(MaxWaitingInput) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true }
    );

    public int Pid => child.Pid;

    /// <param name="feed">Gives input for as long as its token lets it.</param>
    /// <exception cref="OperationCanceledException">The command is killed.</exception>
    public async Task<ExecExit> RunAsync(Func<CancellationToken, Task> feed, CancellationToken cancellationToken)
    {
        using var ended = new CancellationTokenSource();
        using var inputs = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, ended.Token);
        var writing = WriteStdinAsync(inputs.Token);
        var feeding = feed(inputs.Token);
        var pumps = Task.CompletedTask;
        try
        {
            pumps = Task.WhenAll(
                PumpAsync(streams.Stdout, bytes => new ExecOutput { Stdout = bytes }, ended.Token, cancellationToken),
                streams.Stderr is { } stderr
                    ? PumpAsync(stderr, bytes => new ExecOutput { Stderr = bytes }, ended.Token, cancellationToken)
                    : Task.CompletedTask
            );
            var (exit, timedOut) = await WaitAsync(pumps, cancellationToken);
            if (spec.Pty)
            {
                ended.CancelAfter(HangUpDeadline);
            }
            else
            {
                await ended.CancelAsync();
            }

            await pumps;
            return new ExecExit { ExitCode = exit.ExitCode, TimedOut = timedOut };
        }
        finally
        {
            if (!child.Exited.IsCompleted)
            {
                child.KillSession();
            }

            await ended.CancelAsync();
            await Task.WhenAll(writing, feeding, pumps).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Anything but a start. Waits while the command does not read.</summary>
    /// <exception cref="RpcException">FailedPrecondition: nobody reads its input any more. InvalidArgument: no such signal.</exception>
    public async ValueTask TakeAsync(ExecInput input, CancellationToken cancellationToken)
    {
        switch (input.KindCase)
        {
            case ExecInput.KindOneofCase.Stdin:
                try
                {
                    await _stdin.Writer.WriteAsync(input.Stdin.Memory, cancellationToken);
                }
                catch (ChannelClosedException)
                {
                    throw new RpcException(new Status(StatusCode.FailedPrecondition, "its input has ended"));
                }

                break;
            case ExecInput.KindOneofCase.EndOfStdin:
                EndInput();
                break;
            case ExecInput.KindOneofCase.Window:
                streams.Terminal?.Resize(
                    ExecSpec.Window(input.Window.Columns, spec.Columns),
                    ExecSpec.Window(input.Window.Rows, spec.Rows)
                );
                break;
            case ExecInput.KindOneofCase.Signal when input.Signal is > 0 and <= 64:
                child.SignalGroup(input.Signal);
                break;
            default:
                throw new RpcException(
                    new Status(StatusCode.InvalidArgument, "input: not stdin, its end, a window or a signal from 1 to 64")
                );
        }
    }

    public void EndInput() => _stdin.Writer.TryComplete();

    /// <summary>The command and everything of its session; the run ends soon after.</summary>
    public void Kill() => child.KillSession();

    public void Dispose()
    {
        streams.Dispose();
        _writing.Dispose();
    }

    private async Task<(ChildExit Exit, bool TimedOut)> WaitAsync(Task pumps, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var deadline = Task.Delay(spec.Timeout ?? Timeout.InfiniteTimeSpan, clock, over.Token);
        var first = await Task.WhenAny(child.Exited, pumps, deadline);
        if (first == pumps)
        {
            // The caller is gone when they failed; otherwise the command has closed its output, and may well run on.
            await pumps;
            first = await Task.WhenAny(child.Exited, deadline);
        }

        await over.CancelAsync();
        if (first == child.Exited)
        {
            return (await child.Exited, false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        child.KillSession();
        return (await child.Exited.WaitAsync(cancellationToken), true);
    }

    /// <summary>Reads to the end; or, once the command has ended, what is there.</summary>
    private async Task PumpAsync(
        AsyncDescriptor reader,
        Func<ByteString, ExecOutput> wrap,
        CancellationToken ended,
        CancellationToken cancellationToken
    )
    {
        var buffer = new byte[BufferBytes];
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ended, cancellationToken);
            while (!ended.IsCancellationRequested && await reader.ReadAsync(buffer, either.Token) is > 0 and var n)
            {
                await SendAsync(wrap(ByteString.CopyFrom(buffer, 0, n)), cancellationToken);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The command has ended; the rest follows.
        }

        for (var left = PipeBytes; left > 0 && reader.TryRead(buffer.AsSpan(0, Math.Min(left, buffer.Length))) is > 0 and var n; left -= n)
        {
            await SendAsync(wrap(ByteString.CopyFrom(buffer, 0, n)), cancellationToken);
        }
    }

    private async Task WriteStdinAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var bytes in _stdin.Reader.ReadAllAsync(cancellationToken))
            {
                await streams.Stdin.WriteAsync(bytes, cancellationToken);
            }

            if (spec.Pty)
            {
                await streams.Stdin.WriteAsync(new[] { EndOfTransmission }, cancellationToken);
            }
            else
            {
                streams.Stdin.Dispose();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or LinuxException or ObjectDisposedException)
        {
            // The command no longer reads.
            _stdin.Writer.TryComplete();
        }
    }

    private async Task SendAsync(ExecOutput message, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await output(message, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }
}
