using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Oriel.Keeper.Drivers.Qemu;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;
using Oriel.Linux.Machine;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Keeper;

public sealed class QemuTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("oriel-qmp-").FullName;

    private const string Done = """{"return":{}}""";

    /// <summary>As QEMU 7.2 tells of a write that met a full disk.</summary>
    private const string Stopped = """
        {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "BLOCK_IO_ERROR", "data": {"device": "scratch", "nospace": true, "node-name": "#block1", "reason": "No space left on device", "operation": "write", "action": "stop"}}
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public void Arguments_WithoutKvm_TellTheClocksRateAndKeepTheSandboxOn()
    {
        var arguments = string.Join(
            ' ',
            QemuMachine.Arguments(new QemuMachineSpec(Kvm: false, Vcpus: 2, MemoryMib: 1536, TscKilohertz: 2_596_122))
        );
        Assert.Contains("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", arguments);
        Assert.Contains("tsc=reliable tsc_early_khz=2596122", arguments);
        Assert.Contains("-accel tcg,thread=multi", arguments);
        Assert.DoesNotContain("pit=off", arguments);
    }

    [Fact]
    public void Arguments_WithKvm_LeaveTheGuestsDefencesOn()
    {
        var arguments = string.Join(
            ' ',
            QemuMachine.Arguments(new QemuMachineSpec(Kvm: true, Vcpus: 4, MemoryMib: 3072, TscKilohertz: null))
        );
        Assert.Contains("-accel kvm", arguments);
        Assert.DoesNotContain("mitigations=off", arguments);
        Assert.DoesNotContain("init_on_alloc=0", arguments);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Arguments_OfTheFirmware_AreQemusOwnSmallOne(bool kvm)
    {
        var arguments = QemuMachine.Arguments(new QemuMachineSpec(kvm, Vcpus: 1, MemoryMib: 512, TscKilohertz: kvm ? null : 2_596_122));
        Assert.Contains("-bios qboot.rom", string.Join(' ', arguments));
    }

    [Theory]
    [InlineData("Own", "memory-backend-ram,id=memory,size=512M")]
    [InlineData("Kept", "memory-backend-file,mem-path=memory,share=on,id=memory,size=512M")]
    [InlineData("Shared", "memory-backend-file,mem-path=/proc/self/fd/9,share=off,id=memory,size=512M")]
    public void Arguments_OfMemory_WriteToAFileOnlyWhereItIsToBeKept(string memory, string expected)
    {
        var arguments = QemuMachine.Arguments(
            new QemuMachineSpec(Kvm: true, Vcpus: 1, MemoryMib: 512, TscKilohertz: null, Memory: Enum.Parse<QemuMemory>(memory))
        );
        Assert.Single(arguments, argument => argument == expected);
    }

    [Fact]
    public void Arguments_OfDisks_OpenTheImageForReadingAlone()
    {
        var arguments = QemuMachine.Arguments(new QemuMachineSpec(Kvm: true, Vcpus: 1, MemoryMib: 512, TscKilohertz: null));
        Assert.Contains($"id={VmDirectory.Root},file={VmDirectory.Root},format=raw,if=none,readonly=on", arguments);
        Assert.Contains($"id={VmDirectory.Config},file={VmDirectory.Config},format=raw,if=none,readonly=on", arguments);
    }

    [Theory]
    [InlineData(0, "guest-shutdown", false, "guest-exited", "switched itself off")]
    [InlineData(0, "guest-reset", false, "guest-exited", "panic or reset")]
    [InlineData(1, null, false, "guest-exited", "code 1")]
    [InlineData(137, null, false, "guest-killed", "signal 9")]
    [InlineData(137, null, true, "oom", "want of memory")]
    [InlineData(159, null, false, "guest-killed", "signal 31")]
    public void ExitOf_WhatQemuSaid_IsTheReason(int code, string? shutdown, bool oom, string reason, string detail)
    {
        var exit = QemuGuest.ExitOf(code, shutdown, oom);
        Assert.Equal(reason, exit.Reason);
        Assert.Contains(detail, exit.Detail);
    }

    [Fact]
    public async Task Execute_AnsweredBetweenEvents_CompletesOrSaysQemusWords()
    {
        using var qemu = new PlayedQemu(
            Path.Combine(_path, "qmp"),
            line =>
                line.Contains("cont")
                    ? """{"event":"RESUME"}""" + "\n" + """{"error":{"class":"GenericError","desc":"no such thing"}}"""
                    : """{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}""" + "\n" + """{"return":{}}"""
        );
        await using var client = await QmpClient.ConnectAsync(qemu.Path, Task.Delay(Timeout.Infinite, Token), Token);
        Assert.Equal("7.2.22", client.Version);
        await client.ExecuteAsync("stop", Token);
        Assert.Equal("guest-reset", client.ShutdownReason);
        var refusal = await Assert.ThrowsAsync<IOException>(() => client.ExecuteAsync("cont", Token));
        Assert.Contains("no such thing", refusal.Message);
    }

    [Fact]
    public async Task Follow_HostsDiskFull_GoesOnWhenThereIsRoomAndSaysSoOnce()
    {
        var (rooms, conts, told) = (new Queue<long>([0, QemuHalts.LeastRoom - 1, QemuHalts.LeastRoom]), 0, new List<(bool, int)>());
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // Going on for the first time it is stopped again at once.
        using var qemu = new PlayedQemu(
            Path.Combine(_path, "qmp"),
            line => line.Contains("query-status") || (line.Contains("cont") && ++conts == 1) ? Stopped + "\n" + Done : Done
        );
        await using var client = await QmpClient.ConnectAsync(qemu.Path, Task.Delay(Timeout.Infinite, Token), Token);
        var halts = new QemuHalts(client, () => rooms.TryDequeue(out var room) ? room : long.MaxValue, TimeSpan.FromMilliseconds(20));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var following = halts.FollowAsync(Told, stop.Token);
        await client.ExecuteAsync("query-status", Token);
        await done.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);

        Assert.Equal([(true, 0), (false, 2)], told);
        Assert.Empty(rooms);
        await stop.CancelAsync();
        await following;

        void Told(bool halted)
        {
            told.Add((halted, conts));
            if (!halted)
            {
                done.TrySetResult();
            }
        }
    }

    [Fact]
    public async Task Follow_PausedBySomebody_LeavesItToThem()
    {
        var conts = 0;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var qemu = new PlayedQemu(
            Path.Combine(_path, "qmp"),
            line =>
            {
                conts += line.Contains("cont") ? 1 : 0;
                return line.Contains("query-status") ? Stopped + "\n" + Done : Done;
            }
        );
        await using var client = await QmpClient.ConnectAsync(qemu.Path, Task.Delay(Timeout.Infinite, Token), Token);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var following = new QemuHalts(client, () => long.MaxValue, TimeSpan.FromMilliseconds(1)) { IsPaused = true }.FollowAsync(
            halted =>
            {
                if (!halted)
                {
                    done.TrySetResult();
                }
            },
            stop.Token
        );
        await client.ExecuteAsync("query-status", Token);
        await done.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.Equal(0, conts);
        await stop.CancelAsync();
        await following;
    }

    [Fact]
    public async Task Execute_AfterOneThatWasGivenUp_IsNotAnsweredByItsLateAnswer()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var goOn = new SemaphoreSlim(0);
        using var qemu = new PlayedQemu(
            Path.Combine(_path, "qmp"),
            line =>
            {
                if (line.Contains("query-status"))
                {
                    // As long as QEMU reads a machine's memory.
                    asked.TrySetResult();
                    goOn.Wait(Token);
                    return """{"return":{"status":"inmigrate"}}""";
                }

                return line.Contains("query-migrate") ? """{"return":{"status":"completed"}}""" : Done;
            }
        );
        await using var client = await QmpClient.ConnectAsync(qemu.Path, Task.Delay(Timeout.Infinite, Token), Token);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var first = client.ExecuteAsync("query-status", patience.Token);
        await asked.Task.WaitAsync(Token);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var second = client.ExecuteAsync("query-migrate", Token);
        goOn.Release();
        Assert.Contains("completed", await second);
    }

    [Fact]
    public async Task Execute_QemuGoesAway_FailsInsteadOfWaiting()
    {
        using var qemu = new PlayedQemu(Path.Combine(_path, "qmp"), line => line.Contains("qmp_capabilities") ? """{"return":{}}""" : null);
        await using var client = await QmpClient.ConnectAsync(qemu.Path, Task.Delay(Timeout.Infinite, Token), Token);
        await Assert.ThrowsAsync<IOException>(() => client.ExecuteAsync("stop", Token));
        await Assert.ThrowsAsync<IOException>(() => client.ExecuteAsync("cont", Token));
    }

    [Fact]
    public async Task Connect_WhatAnswersIsNoQmpOrTooLong_IsRefused()
    {
        using var noise = new PlayedQemu(Path.Combine(_path, "a"), _ => null, greeting: "hello");
        await Assert.ThrowsAsync<IOException>(() => QmpClient.ConnectAsync(noise.Path, Task.Delay(Timeout.Infinite, Token), Token));
        using var flood = new PlayedQemu(Path.Combine(_path, "b"), _ => null, greeting: new string('x', QmpClient.MaxLineBytes + 1));
        await Assert.ThrowsAsync<IOException>(() => QmpClient.ConnectAsync(flood.Path, Task.Delay(Timeout.Infinite, Token), Token));
    }

    [Fact]
    public async Task BootMarks_LinesOfTheInitramfs_CompleteTheirSteps()
    {
        using var console = NewConsole();
        using var marks = new BootMarks(console);
        console.Append("[    0.1] something\r\noriel-init: start 1.25\r\noriel-init: root 2.5\r\n"u8);
        Assert.Equal("1.25", await marks.Kernel);
        Assert.Equal("2.5", await marks.Root);
    }

    [Fact]
    public async Task BootMarks_AFailureOfTheInitramfs_IsTheStepsFailure()
    {
        using var console = NewConsole();
        using var marks = new BootMarks(console);
        console.Append("oriel-init: start 1.25\noriel-init: failed: the root disk cannot be mounted\n"u8);
        Assert.Equal("1.25", await marks.Kernel);
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => marks.Root);
        Assert.Contains("the root disk cannot be mounted", failure.Message);
    }

    [Fact]
    public async Task MeasureKilohertz_Twice_AgreesWithItself()
    {
        var first = await TimestampCounter.MeasureKilohertzAsync(Token);
        var second = await TimestampCounter.MeasureKilohertzAsync(Token);
        Assert.InRange(first, 500_000, 10_000_000);
        Assert.InRange(second, first * 0.999, first * 1.001);
    }

    private ConsoleLog NewConsole() => new(new Bundle(_path).ConsoleLog, new EventLog(TimeProvider.System));

    /// <summary>Greets as QEMU 7.2 does and answers each line; null hangs up.</summary>
    private sealed class PlayedQemu : IDisposable
    {
        private const string Greeting =
            """{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}""";
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly Func<string, string?> _answer;
        private readonly string _greeting;

        public PlayedQemu(string path, Func<string, string?> answer, string greeting = Greeting)
        {
            (Path, _answer, _greeting) = (path, answer, greeting);
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
            _ = ServeAsync();
        }

        public string Path { get; }

        public void Dispose() => _listener.Dispose();

        private async Task ServeAsync()
        {
            using var client = await _listener.AcceptAsync();
            await using var stream = new NetworkStream(client);
            using var reader = new StreamReader(stream);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(_greeting + "\r\n"));
            while (await reader.ReadLineAsync() is { } line && _answer(line) is { } answer)
            {
                using var command = JsonDocument.Parse(line);
                // As QEMU does: what answers a command has its id.
                var answered = $$"""{"id":{{command.RootElement.GetProperty("id").GetRawText()}},""";
                var words = answer.Replace("{\"return\"", answered + "\"return\"").Replace("{\"error\"", answered + "\"error\"");
                await stream.WriteAsync(Encoding.UTF8.GetBytes(words + "\r\n"));
            }
        }
    }
}
