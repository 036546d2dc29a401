using Google.Protobuf;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

internal sealed record CommandOutcome(string Stdout, string Stderr, ExecExit Exit, int Pid);

/// <summary>Exec as a caller uses it.</summary>
internal static class Commands
{
    public static Task<CommandOutcome> RunAsync(
        this AgentConnection agent,
        CancellationToken cancellationToken,
        string command,
        params string[] args
    )
    {
        var start = new ExecStart { Command = command };
        start.Args.AddRange(args);
        return agent.RunAsync(start, "", cancellationToken);
    }

    public static async Task<CommandOutcome> RunAsync(
        this AgentConnection agent,
        ExecStart start,
        string stdin,
        CancellationToken cancellationToken
    )
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(GuestUnderTest.Deadline);
        using var call = agent.Guest.Exec(cancellationToken: deadline.Token);
        try
        {
            await FeedAsync(call.RequestStream, start, stdin, deadline.Token);
        }
        catch (RpcException)
        {
            // The agent has ended the call already; why is what reading it tells, writing may say no more than "cancelled".
        }

        return await CollectAsync(call, _ => Task.CompletedTask, deadline.Token);
    }

    private static async Task FeedAsync(
        IClientStreamWriter<ExecInput> writer,
        ExecStart start,
        string stdin,
        CancellationToken cancellationToken
    )
    {
        await writer.WriteAsync(new ExecInput { Start = start }, cancellationToken);
        if (stdin.Length > 0)
        {
            await writer.WriteAsync(new ExecInput { Stdin = ByteString.CopyFromUtf8(stdin) }, cancellationToken);
        }

        if (!start.Pty)
        {
            await writer.WriteAsync(new ExecInput { EndOfStdin = true }, cancellationToken);
        }
    }

    /// <summary>
    /// The call to its exit; one that has none within <see cref="GuestUnderTest.Deadline"/> fails with what it had put out.
    /// </summary>
    /// <param name="onOutput">Told all of standard output so far, after each piece.</param>
    public static async Task<CommandOutcome> CollectAsync(
        AsyncDuplexStreamingCall<ExecInput, ExecOutput> call,
        Func<string, Task> onOutput,
        CancellationToken cancellationToken
    )
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(GuestUnderTest.Deadline);
        using MemoryStream stdout = new(),
            stderr = new();
        var pid = 0;
        try
        {
            await foreach (var output in call.ResponseStream.ReadAllAsync(deadline.Token))
            {
                switch (output.KindCase)
                {
                    case ExecOutput.KindOneofCase.Pid:
                        pid = output.Pid;
                        break;
                    case ExecOutput.KindOneofCase.Stdout:
                        output.Stdout.WriteTo(stdout);
                        await onOutput(Text(stdout));
                        break;
                    case ExecOutput.KindOneofCase.Stderr:
                        output.Stderr.WriteTo(stderr);
                        break;
                    case ExecOutput.KindOneofCase.Exit:
                        return new CommandOutcome(Text(stdout), Text(stderr), output.Exit, pid);
                }
            }
        }
        catch (Exception e)
            when (e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled } && deadline.IsCancellationRequested)
        {
            Assert.Fail(
                $"The command had not ended when its call was cancelled (deadline {GuestUnderTest.Deadline}). Output: {Text(stdout)}; errors: {Text(stderr)}"
            );
        }

        Assert.Fail($"The call ended without an exit. Output: {Text(stdout)}; errors: {Text(stderr)}");
        throw new InvalidOperationException();
    }

    private static string Text(MemoryStream stream) => System.Text.Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
}
