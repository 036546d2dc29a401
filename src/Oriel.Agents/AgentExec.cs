using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agents;

/// <summary>What a command in the guest left.</summary>
/// <param name="Exit">Null: the agent ended the call without one.</param>
/// <param name="Truncated">It put out more than was asked for.</param>
public sealed record ExecOutcome(ExecExit? Exit, ReadOnlyMemory<byte> Stdout, ReadOnlyMemory<byte> Stderr, bool Truncated);

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
        var (stdout, stderr) = (new MemoryStream(), new MemoryStream());
        var truncated = false;
        ExecExit? exit = null;
        await foreach (var output in call.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            switch (output.KindCase)
            {
                case ExecOutput.KindOneofCase.Stdout:
                    truncated |= Append(stdout, output.Stdout, maxOutput);
                    break;
                case ExecOutput.KindOneofCase.Stderr:
                    truncated |= Append(stderr, output.Stderr, maxOutput);
                    break;
                case ExecOutput.KindOneofCase.Exit:
                    exit = output.Exit;
                    break;
            }
        }

        await feeding;
        return exit is { Error.Length: > 0 }
            ? throw new RpcException(new Status(StatusCode.InvalidArgument, ForeignWords.Of(exit.Error)))
            : new ExecOutcome(exit, Written(stdout), Written(stderr), truncated);
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
        catch (Exception e) when (e is RpcException or InvalidOperationException or OperationCanceledException)
        {
            // The command ended without reading all; its exit tells the rest.
        }
    }

    private static bool Append(MemoryStream to, ByteString data, int max)
    {
        var room = max - (int)to.Length;
        to.Write(data.Span[..Math.Min(room, data.Length)]);
        return data.Length > room;
    }

    private static ReadOnlyMemory<byte> Written(MemoryStream stream) => stream.GetBuffer().AsMemory(0, (int)stream.Length);
}
