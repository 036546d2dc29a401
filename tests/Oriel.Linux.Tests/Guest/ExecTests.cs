using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

public sealed class ExecTests(ConfiguredGuest guest)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Exec_BothStreamsAndExitCode_AreKeptApart()
    {
        var agent = await guest.AgentAsync(Token);
        var outcome = await agent.RunAsync(Token, "sh", "-c", "echo out; echo err >&2; exit 7");
        Assert.Equal(("out\n", "err\n", 7, ""), (outcome.Stdout, outcome.Stderr, outcome.Exit.ExitCode, outcome.Exit.Error));
        Assert.True(outcome.Pid > 1);
    }

    [Fact]
    public async Task Exec_DefaultUser_IsUserInItsHome()
    {
        var agent = await guest.AgentAsync(Token);
        var outcome = await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "id -un; pwd; echo $DISPLAY; ulimit -n; umask; cat /proc/self/status | grep -E 'SigIgn|SigBlk|CapEff'"
        );
        var lines = outcome.Stdout.Split('\n');
        Assert.Equal(["user", "/home/user", ":0", "1024", "0022"], lines[..5]);
        Assert.All(lines[5..8], line => Assert.EndsWith("0000000000000000", line));
    }

    [Fact]
    public async Task Exec_UserRootAndCwdAndEnv_AreObeyed()
    {
        var agent = await guest.AgentAsync(Token);
        var start = new ExecStart
        {
            Command = "sh",
            User = "root",
            Cwd = "/etc",
            Env = { ["EXTRA"] = "e x" },
        };
        start.Args.AddRange(["-c", "id -u; pwd; echo \"$EXTRA\"; echo $HOME"]);
        Assert.Equal("0\n/etc\ne x\n/root\n", (await agent.RunAsync(start, "", Token)).Stdout);
    }

    [Fact]
    public async Task Exec_Stdin_ReachesTheCommandToItsEnd()
    {
        var agent = await guest.AgentAsync(Token);
        var text = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"line {i}\n"));
        Assert.Equal(text, (await agent.RunAsync(new ExecStart { Command = "cat" }, text, Token)).Stdout);
    }

    [Theory]
    [InlineData("no-such-command", 127, "no such file or directory")]
    [InlineData("/etc/passwd", 126, "permission denied")]
    [InlineData("/etc", 126, "permission denied")]
    public async Task Exec_CannotStart_SaysWhy(string command, int code, string reason)
    {
        var agent = await guest.AgentAsync(Token);
        var outcome = await agent.RunAsync(Token, command);
        Assert.Equal(code, outcome.Exit.ExitCode);
        Assert.StartsWith("could not start: execve " + command, outcome.Exit.Error);
        Assert.Contains(reason, outcome.Exit.Error);
    }

    [Fact]
    public async Task Exec_MissingCwd_SaysSo()
    {
        var agent = await guest.AgentAsync(Token);
        var outcome = await agent.RunAsync(new ExecStart { Command = "true", Cwd = "/no/such" }, "", Token);
        Assert.Contains("chdir to the working directory /no/such: ENOENT", outcome.Exit.Error);
    }

    [Fact]
    public async Task Exec_Timeout_KillsTheWholeSession()
    {
        var agent = await guest.AgentAsync(Token);
        // set -m gives the background job a process group of its own, as an interactive shell does.
        var start = new ExecStart { Command = "bash", TimeoutMs = 500 };
        start.Args.AddRange(["-c", "set -m; sleep 7771 & sleep 7772"]);
        var outcome = await agent.RunAsync(start, "", Token);
        Assert.True(outcome.Exit.TimedOut);
        Assert.Equal(137, outcome.Exit.ExitCode);
        // The pattern does not find itself.
        var left = await agent.RunAsync(Token, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep 777[12]'");
        Assert.Equal("", left.Stdout);
    }

    [Theory]
    [InlineData("kill -9 $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    public async Task Exec_CommandSignalled_ExitsWith128AndTheSignal(string script, int code)
    {
        var agent = await guest.AgentAsync(Token);
        var outcome = await agent.RunAsync(Token, "sh", "-c", script);
        Assert.Equal((code, false), (outcome.Exit.ExitCode, outcome.Exit.TimedOut));
    }

    [Fact]
    public async Task Exec_SignalFromCaller_ReachesTheGroup()
    {
        var agent = await guest.AgentAsync(Token);
        using var call = agent.Guest.Exec(cancellationToken: Token);
        var start = new ExecStart { Command = "sh" };
        start.Args.AddRange(["-c", "trap 'echo got; exit 3' INT; echo ready; while :; do sleep 1; done"]);
        await call.RequestStream.WriteAsync(new ExecInput { Start = start }, Token);
        var sent = false;
        var outcome = await Commands.CollectAsync(
            call,
            async output =>
            {
                if (!sent && output.Contains("ready"))
                {
                    sent = true;
                    await call.RequestStream.WriteAsync(new ExecInput { Signal = 2 }, Token);
                }
            },
            Token
        );
        Assert.Equal(3, outcome.Exit.ExitCode);
        Assert.Contains("got", outcome.Stdout);
    }

    [Fact]
    public async Task Exec_Pty_IsAControllingTerminalWithItsSize()
    {
        var agent = await guest.AgentAsync(Token);
        var start = new ExecStart
        {
            Command = "bash",
            Pty = true,
            Columns = 91,
            Rows = 37,
        };
        start.Args.AddRange(["-c", "tty; stty size; echo $TERM; test -t 0 -a -t 1 -a -t 2 && echo terminal; echo x >/dev/tty"]);
        var outcome = await agent.RunAsync(start, "", Token);
        Assert.Matches(@"^/dev/pts/\d+\r\n37 91\r\nxterm-256color\r\nterminal\r\nx\r\n$", outcome.Stdout);
        Assert.Equal(0, outcome.Exit.ExitCode);
    }

    [Fact]
    public async Task Exec_PtyInteractive_EchoesResizesAndEnds()
    {
        var agent = await guest.AgentAsync(Token);
        using var call = agent.Guest.Exec(cancellationToken: Token);
        var start = new ExecStart { Command = "bash", Pty = true };
        start.Args.AddRange(["--norc", "-i"]);
        start.Env["PS1"] = "ready> ";
        await call.RequestStream.WriteAsync(new ExecInput { Start = start }, Token);
        var stage = 0;
        var outcome = await Commands.CollectAsync(
            call,
            async output =>
            {
                if (stage == 0 && output.Contains("ready> "))
                {
                    stage = 1;
                    await call.RequestStream.WriteAsync(
                        new ExecInput
                        {
                            Window = new ExecWindow { Columns = 132, Rows = 50 },
                        },
                        Token
                    );
                    await call.RequestStream.WriteAsync(
                        new ExecInput { Stdin = ByteString.CopyFromUtf8("stty size\nsh -c 'echo fore''ground; exec sleep 1000'\n") },
                        Token
                    );
                }
                else if (stage == 1 && output.Contains("foreground"))
                {
                    stage = 2;
                    Assert.Contains("50 132", output);
                    // Ctrl-C ends the foreground job, not the shell. The job says itself that it is there: pressed before it has the
                    // terminal, Ctrl-C is the shell's.
                    await call.RequestStream.WriteAsync(new ExecInput { Stdin = ByteString.CopyFromUtf8("\x03") }, Token);
                    await call.RequestStream.WriteAsync(new ExecInput { Stdin = ByteString.CopyFromUtf8("exit 5\n") }, Token);
                }
            },
            Token
        );
        Assert.Equal((2, 5), (stage, outcome.Exit.ExitCode));
    }

    [Fact]
    public async Task Exec_BackgroundProcess_DoesNotHoldTheCall()
    {
        var agent = await guest.AgentAsync(Token);
        var outcome = await agent.RunAsync(Token, "sh", "-c", "sleep 8881 & echo $!");
        Assert.Equal(0, outcome.Exit.ExitCode);
        var alive = await agent.RunAsync(Token, "kill", "-9", outcome.Stdout.Trim());
        Assert.Equal(0, alive.Exit.ExitCode);
    }

    [Fact]
    public async Task Exec_MuchOutput_ArrivesWholeThroughASlowReader()
    {
        var agent = await guest.AgentAsync(Token);
        using var call = agent.Guest.Exec(cancellationToken: Token);
        var start = new ExecStart { Command = "sh" };
        start.Args.AddRange(["-c", "head -c 20000000 /dev/zero"]);
        await call.RequestStream.WriteAsync(new ExecInput { Start = start }, Token);
        long bytes = 0;
        ExecExit? exit = null;
        await foreach (var output in call.ResponseStream.ReadAllAsync(Token))
        {
            bytes += output.Stdout?.Length ?? 0;
            exit = output.Exit ?? exit;
            await Task.Yield();
        }

        Assert.Equal(20_000_000, bytes);
        Assert.Equal(0, exit?.ExitCode);
    }

    [Fact]
    public async Task Exec_CallerGoesAway_CommandIsKilled()
    {
        var agent = await guest.AgentAsync(Token);
        int pid;
        using (var call = agent.Guest.Exec(cancellationToken: Token))
        {
            var start = new ExecStart { Command = "sleep" };
            start.Args.Add("9991");
            await call.RequestStream.WriteAsync(new ExecInput { Start = start }, Token);
            Assert.True(await call.ResponseStream.MoveNext(Token));
            pid = call.ResponseStream.Current.Pid;
        }

        await Eventually.HoldsAsync(
            async () =>
                (await agent.RunAsync(Token, "test", "-d", $"/proc/{pid}")).Exit.ExitCode == 1 ? null : $"process {pid} is still there",
            GuestUnderTest.Deadline
        );
    }

    [Fact]
    public async Task Exec_OrphansThatEnd_AreReaped()
    {
        var agent = await guest.AgentAsync(Token);
        await agent.RunAsync(Token, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (sh -c 'exit 0' &) ; done");
        await Eventually.HoldsAsync(
            async () =>
                (await agent.RunAsync(Token, "sh", "-c", "grep -lE '^State:.Z' /proc/[0-9]*/status 2>/dev/null")).Stdout.Trim()
                    is { Length: > 0 } zombies
                    ? $"there are zombies: {zombies}"
                    : null,
            GuestUnderTest.Deadline
        );
    }

    [Fact]
    public async Task Exec_Malformed_IsRefusedByName()
    {
        var agent = await guest.AgentAsync(Token);
        foreach (
            var (start, field) in ((ExecStart, string)[])
                [
                    (new ExecStart(), "command"),
                    (new ExecStart { Command = "true", User = "nobody-here" }, "user"),
                    (new ExecStart { Command = "true", Cwd = "relative" }, "cwd"),
                    (new ExecStart { Command = "true", Env = { ["1X"] = "" } }, "env"),
                    (new ExecStart { Command = "true", TimeoutMs = -1 }, "timeout_ms"),
                ]
        )
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => agent.RunAsync(start, "", Token));
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.StartsWith(field, refused.Status.Detail);
        }
    }
}
