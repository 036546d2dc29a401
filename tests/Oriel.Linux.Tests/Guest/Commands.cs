using Google.Protobuf;
using Grpc.Core;
using Oriel.Desktops.Agents;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

internal sealed record CommandOutcome(string Stdout, string Stderr, ExecExit Exit, int Pid);

/// <summary>Exec as a caller uses it.</summary>
internal static class Commands
{
    public static Task<CommandOutcome> RunAsync(this AgentConnection agent, CancellationToken cancellationToken, string command, params string[] args)
    {
        var start = new ExecStart { Command = command };
        start.Args.AddRange(args);
        return agent.RunAsync(start, "", cancellationToken);
    }

    public static async Task<CommandOutcome> RunAsync(this AgentConnection agent, ExecStart start, string stdin, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(GuestUnderTest.Deadline);
        using var call = agent.Guest.Exec(cancellationToken: deadline.Token);
        await call.RequestStream.WriteAsync(new ExecInput { Start = start }, deadline.Token);
        if (stdin.Length > 0)
        {
            await call.RequestStream.WriteAsync(new ExecInput { Stdin = ByteString.CopyFromUtf8(stdin) }, deadline.Token);
        }

        if (!start.Pty)
        {
            await call.RequestStream.WriteAsync(new ExecInput { EndOfStdin = true }, deadline.Token);
        }

        return await CollectAsync(call, _ => Task.CompletedTask, deadline.Token);
    }

    /// <param name="onOutput">Told all of standard output so far, after each piece.</param>
    public static async Task<CommandOutcome> CollectAsync(
        AsyncDuplexStreamingCall<ExecInput, ExecOutput> call, Func<string, Task> onOutput, CancellationToken cancellationToken)
    {
        using MemoryStream stdout = new(), stderr = new();
        var pid = 0;
        await foreach (var output in call.ResponseStream.ReadAllAsync(cancellationToken))
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

        Assert.Fail($"The call ended without an exit. Output: {Text(stdout)}; errors: {Text(stderr)}");
        throw new InvalidOperationException();
    }

    private static string Text(MemoryStream stream) => System.Text.Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
}
