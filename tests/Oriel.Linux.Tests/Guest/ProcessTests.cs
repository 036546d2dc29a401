using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

public sealed class ProcessTests(ConfiguredGuest guest)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Process_OfAnyKind_GoesOnWithoutItsCaller(bool pty)
    {
        var agent = await guest.AgentAsync(Token);
        var info = await StartAsync(agent, pty, "echo begun; read line; echo \"read $line\"; exit 3");
        Assert.Contains("begun", await ReadAsync(agent, info.Id, "begun"));
        await agent.Guest.ControlProcessAsync(
            new ProcessControl
            {
                Id = info.Id,
                Input = new ExecInput { Stdin = ByteString.CopyFromUtf8("words\n") },
            },
            cancellationToken: Token
        );

        Assert.EndsWith("exit 3", await ReadAsync(agent, info.Id, "exit"));
        var listed = (await agent.Guest.ListProcessesAsync(new ListProcessesRequest(), cancellationToken: Token)).Processes.Single(other =>
            other.Id == info.Id
        );
        Assert.Equal((3, pty, info.Pid, 0L), (listed.Exit.ExitCode, listed.Pty, listed.Pid, listed.OutputFrom));
        Assert.True(listed.EndedUs >= listed.StartedUs && listed.OutputEnd > 0, $"{listed}");
    }

    [Fact]
    public async Task Process_ThatWritesMoreThanIsKept_KeepsTheEnd()
    {
        var agent = await guest.AgentAsync(Token);
        var info = await StartAsync(agent, false, "seq 1 400000");
        var output = await ReadAsync(agent, info.Id, "exit");
        Assert.EndsWith("\n399999\n400000\nexit 0", output);
        var again = await ReadAsync(agent, info.Id, "exit");
        Assert.InRange(again.Length, 900_000, 1_100_000);
        Assert.EndsWith(again[10..], output);
    }

    [Fact]
    public async Task Process_WithATimeout_IsEndedWithAllOfItsSession()
    {
        var agent = await guest.AgentAsync(Token);
        var start = new ExecStart { Command = "bash", TimeoutMs = 500 };
        start.Args.AddRange(["-c", "set -m; sleep 7775 & sleep 7776"]);
        var info = await agent.Guest.StartProcessAsync(start, cancellationToken: Token);
        Assert.Equal("exit 137 timed out", await ReadAsync(agent, info.Id, "exit"));
        var left = await agent.RunAsync(Token, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep 777[56]'");
        Assert.Equal("", left.Stdout);
    }

    [Theory]
    [InlineData("/no/such/program", StatusCode.InvalidArgument)]
    [InlineData("", StatusCode.InvalidArgument)]
    public async Task Process_ThatCannotStart_SaysWhyAndIsNotKept(string command, StatusCode status)
    {
        var agent = await guest.AgentAsync(Token);
        var before = await CountAsync();
        var fault = await Assert.ThrowsAsync<RpcException>(async () =>
            await agent.Guest.StartProcessAsync(new ExecStart { Command = command }, cancellationToken: Token)
        );
        Assert.Equal((status, before), (fault.StatusCode, await CountAsync()));

        async Task<int> CountAsync() =>
            (await agent.Guest.ListProcessesAsync(new ListProcessesRequest(), cancellationToken: Token)).Processes.Count(other =>
                other.CommandLine == command
            );
    }

    [Fact]
    public async Task Processes_MoreThanAreKept_ForgetTheOldestThatHasEndedAndRefuseWhenAllRun()
    {
        var agent = await guest.AgentAsync(Token);
        var first = await StartAsync(agent, false, "true");
        await ReadAsync(agent, first.Id, "exit");
        var running = new List<ProcessInfo>();
        RpcException? refused = null;
        for (var i = 0; i < 100 && refused is null; i++)
        {
            try
            {
                running.Add(await StartAsync(agent, false, "sleep 1000"));
            }
            catch (RpcException e)
            {
                refused = e;
            }
        }

        Assert.Equal(StatusCode.ResourceExhausted, refused?.StatusCode);
        var gone = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(agent, first.Id, "exit"));
        Assert.Equal(StatusCode.NotFound, gone.StatusCode);
        foreach (var process in running)
        {
            var removed = await agent.Guest.RemoveProcessAsync(new RemoveProcessRequest { Id = process.Id }, cancellationToken: Token);
            Assert.Equal(137, removed.Exit.ExitCode);
        }
    }

    private static async Task<ProcessInfo> StartAsync(AgentConnection agent, bool pty, string script)
    {
        var start = new ExecStart { Command = "sh", Pty = pty };
        start.Args.AddRange(["-c", script]);
        return await agent.Guest.StartProcessAsync(start, cancellationToken: Token);
    }

    /// <summary>All that is kept, until what is wanted stands there; its end is "exit", with the code.</summary>
    private static async Task<string> ReadAsync(AgentConnection agent, string id, string wanted)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(GuestUnderTest.Deadline);
        using var call = agent.Guest.WatchProcess(new WatchProcessRequest { Id = id, Follow = true }, cancellationToken: deadline.Token);
        var all = new StringBuilder();
        await foreach (var output in call.ResponseStream.ReadFairlyAsync(deadline.Token))
        {
            all.Append(
                output.KindCase switch
                {
                    ProcessOutput.KindOneofCase.Stdout => output.Stdout.ToStringUtf8(),
                    ProcessOutput.KindOneofCase.Stderr => output.Stderr.ToStringUtf8(),
                    ProcessOutput.KindOneofCase.Exit => $"exit {output.Exit.ExitCode}{(output.Exit.TimedOut ? " timed out" : "")}",
                    _ => "",
                }
            );
            if (wanted != "exit" && all.ToString().Contains(wanted, StringComparison.Ordinal))
            {
                break;
            }
        }

        return all.ToString();
    }
}
