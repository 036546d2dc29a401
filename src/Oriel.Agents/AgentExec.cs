using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agents;

/// <summary>What a command in the guest left. Its output counts to the desktop's budget until it is disposed.</summary>
public sealed class ExecOutcome : IDisposable
{
    private readonly AgentBudget _budget;
    private readonly MemoryStream _stdout = new(),
        _stderr = new();
    private long _held;

    internal ExecOutcome(AgentBudget budget) => _budget = budget;

    /// <summary>Null: the agent ended the call without one.</summary>
    public ExecExit? Exit { get; internal set; }

    public ReadOnlyMemory<byte> Stdout => Written(_stdout);

    public ReadOnlyMemory<byte> Stderr => Written(_stderr);

    /// <summary>It put out more than was asked for, or than there was room for among all that run in this desktop.</summary>
    public bool Truncated { get; private set; }

    public void Dispose() => _budget.Release(Interlocked.Exchange(ref _held, 0));

    internal void Append(ExecOutput output, int max)
    {
        var (to, data) = output.KindCase == ExecOutput.KindOneofCase.Stdout ? (_stdout, output.Stdout) : (_stderr, output.Stderr);
        var taken = _budget.Hold(Math.Min(max - (int)to.Length, data.Length));
        _held += taken;
        to.Write(data.Span[..taken]);
        Truncated |= taken < data.Length;
    }

    private static ReadOnlyMemory<byte> Written(MemoryStream stream) => stream.GetBuffer().AsMemory(0, (int)stream.Length);
}

/// <summary>Commands in the guest.</summary>
public static class AgentExec
{
    private const int StdinChunk = 64 * 1024;

    /// <summary>Runs a command to its exit.</summary>
    /// <param name="maxOutput">Bytes of each of its two outputs that are returned; the rest is read and left out.</param>
    /// <exception cref="RpcException">The agent refuses, or does not answer. InvalidArgument: the command could not be started.</exception>
    public static async Task<ExecOutcome> ExecAsync(
        this AgentConnection agent,
        ExecStart start,
        ReadOnlyMemory<byte> stdin,
        int maxOutput,
        CancellationToken cancellationToken
    )
    {
        DateTime? deadline =
            start.TimeoutMs > 0 ? AgentPatience.After(TimeSpan.FromMilliseconds(start.TimeoutMs) + agent.Patience.Exit) : null;
        using var call = agent.Guest.Exec(deadline: deadline, cancellationToken: cancellationToken);
        var feeding = FeedAsync(call.RequestStream, start, stdin, cancellationToken);
        var outcome = new ExecOutcome(agent.Budget);
        try
        {
            await foreach (var output in call.ResponseStream.ReadFairlyAsync(cancellationToken))
            {
                switch (output.KindCase)
                {
                    case ExecOutput.KindOneofCase.Stdout or ExecOutput.KindOneofCase.Stderr:
                        outcome.Append(output, maxOutput);
                        break;
                    case ExecOutput.KindOneofCase.Exit:
                        outcome.Exit = output.Exit;
                        break;
                }
            }

            await feeding;
            return outcome.Exit is { Error.Length: > 0 }
                ? throw new RpcException(new Status(StatusCode.InvalidArgument, ForeignWords.Of(outcome.Exit.Error)))
                : outcome;
        }
        catch
        {
            outcome.Dispose();
            throw;
        }
    }

    private static async Task FeedAsync(
        IClientStreamWriter<ExecInput> writer,
        ExecStart start,
        ReadOnlyMemory<byte> stdin,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await writer.WriteAsync(new ExecInput { Start = start }, cancellationToken);
            for (var at = 0; at < stdin.Length; at += StdinChunk)
            {
                var chunk = stdin.Slice(at, Math.Min(StdinChunk, stdin.Length - at));
                await writer.WriteAsync(new ExecInput { Stdin = ByteString.CopyFrom(chunk.Span) }, cancellationToken);
            }

            await writer.WriteAsync(new ExecInput { EndOfStdin = true }, cancellationToken);
            await writer.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            // The command ended without reading all; its exit tells the rest.
        }
    }
}
