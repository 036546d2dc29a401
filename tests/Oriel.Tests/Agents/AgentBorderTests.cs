using Google.Protobuf.Reflection;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.Agents;

/// <summary>Every call that the server makes, against an agent that is root's and not Oriel's.</summary>
public sealed class AgentBorderTests
{
    /// <summary>The calls as their protocol lists them, each to its end.</summary>
    private static readonly Dictionary<string, Func<AgentConnection, CancellationToken, Task>> Calls = new()
    {
        ["Hello"] = (_, _) => Task.CompletedTask,
        ["WatchSteps"] = (agent, token) => ReadAsync(agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: token), token),
        ["Configure"] = async (agent, token) => await agent.Guest.ConfigureAsync(new ConfigureRequest(), cancellationToken: token),
        ["Renew"] = async (agent, token) => await agent.Guest.RenewAsync(new RenewRequest(), cancellationToken: token),
        ["Attest"] = async (agent, token) => await agent.Guest.AttestAsync(new AttestRequest(), cancellationToken: token),
        ["Exec"] = (agent, token) => agent.ExecAsync(new ExecStart { Command = "true" }, default, 1000, token),
        ["StartProcess"] = async (agent, token) =>
            await agent.Guest.StartProcessAsync(new ExecStart { Command = "true" }, cancellationToken: token),
        ["ListProcesses"] = async (agent, token) =>
            await agent.Guest.ListProcessesAsync(new ListProcessesRequest(), cancellationToken: token),
        ["WatchProcess"] = (agent, token) =>
            ReadAsync(agent.Guest.WatchProcess(new WatchProcessRequest(), cancellationToken: token), token),
        ["ControlProcess"] = async (agent, token) => await agent.Guest.ControlProcessAsync(new ProcessControl(), cancellationToken: token),
        ["RemoveProcess"] = async (agent, token) =>
            await agent.Guest.RemoveProcessAsync(new RemoveProcessRequest(), cancellationToken: token),
        ["PutFile"] = (agent, token) => agent.PutFileAsync(new PutFileHeader { Path = "/a" }, Stream.Null, token),
        ["GetFile"] = (agent, token) => agent.CopyFileAsync(new GetFileRequest { Path = "/a", Length = long.MaxValue }, Stream.Null, token),
        ["StatFile"] = (agent, token) => agent.FindFileAsync("/a", token),
        ["ListFiles"] = async (agent, token) =>
            await agent.Guest.ListFilesAsync(new ListFilesRequest { Path = "/a" }, cancellationToken: token),
        ["MakeDirectory"] = async (agent, token) =>
            await agent.Guest.MakeDirectoryAsync(new MakeDirectoryRequest { Path = "/a" }, cancellationToken: token),
        ["MoveFile"] = async (agent, token) =>
            await agent.Guest.MoveFileAsync(new MoveFileRequest { From = "/a" }, cancellationToken: token),
        ["RemoveFile"] = async (agent, token) =>
            await agent.Guest.RemoveFileAsync(new RemoveFileRequest { Path = "/a" }, cancellationToken: token),
        ["WatchFiles"] = (agent, token) => ReadAsync(agent.Guest.WatchFiles(new WatchFilesRequest(), cancellationToken: token), token),
        ["GetArchive"] = (agent, token) => agent.CopyArchiveAsync("/a", _ => Stream.Null, token),
        ["PutArchive"] = (agent, token) => agent.PutArchiveAsync(new PutArchiveHeader { Path = "/a" }, Stream.Null, token),
        ["WatchDisk"] = (agent, token) => ReadAsync(agent.Guest.WatchDisk(new WatchDiskRequest(), cancellationToken: token), token),
        ["Shutdown"] = async (agent, token) => await agent.Guest.ShutdownAsync(new ShutdownRequest(), cancellationToken: token),
        ["Video"] = (agent, token) => ReadAsync(agent.Display.Video(cancellationToken: token), token),
        ["Input"] = async (agent, token) => await agent.Display.Input(cancellationToken: token).ResponseAsync,
        ["Watch"] = (agent, token) => ReadAsync(agent.Display.Watch(new WatchRequest(), cancellationToken: token), token),
        ["Resize"] = async (agent, token) => await agent.Display.ResizeAsync(new ResizeRequest(), cancellationToken: token),
        ["SetClipboard"] = async (agent, token) => await agent.Display.SetClipboardAsync(new Clipboard(), cancellationToken: token),
        ["Screenshot"] = async (agent, token) => await agent.Display.ScreenshotAsync(new ScreenshotRequest(), cancellationToken: token),
    };

    /// <summary>
    /// What may wait in windows and sockets once the first bytes of an answer were refused: the client's stack lets a stream's window grow
    /// to 16 MiB.
    /// </summary>
    private const long MostOnTheWay = 24 << 20;

    private static readonly IEnumerable<MethodDescriptor> Methods =
    [
        .. GuestReflection.Descriptor.Services.Concat(DisplayReflection.Descriptor.Services).SelectMany(service => service.Methods),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Packed { get; } =
        new(
            Methods.SelectMany(method =>
                new[] { HostileAgent.Bomb, HostileAgent.FlagAlone, HostileAgent.EncodingAlone }.Select(attack => (method.Name, attack))
            )
        );

    [Theory]
    [MemberData(nameof(Packed))]
    public async Task Answer_Compressed_IsRefusedAndNotUnpacked(string call, string attack) =>
        await RefusedAsync(call, attack, 0, "a compressed");

    public static TheoryData<string, bool> Oversized { get; } =
        new(Methods.SelectMany(method => new[] { true, false }.Select(least => (method.Name, least))));

    /// <summary>By one byte, and by as much as a prefix can say: refused by the prefix alone.</summary>
    [Theory]
    [MemberData(nameof(Oversized))]
    public async Task Answer_Oversized_IsRefusedBeforeItCame(string call, bool least)
    {
        var most = CallBounds.Of(call).MessageBytes;
        await RefusedAsync(call, HostileAgent.Oversized, least ? most + 1 : int.MaxValue, $"({most} at most)");
    }

    public static TheoryData<string> Bounded { get; } = [.. Methods.Select(method => method.Name).Where(IsBounded)];

    [Theory]
    [MemberData(nameof(Bounded))]
    public async Task Answer_OfMessagesWithoutEnd_IsRefused(string call) =>
        await RefusedAsync(call, HostileAgent.Flood, 0, $"more than {CallBounds.Of(call).Messages} messages");

    public static TheoryData<string> Endless { get; } = [.. Methods.Select(method => method.Name).Where(name => !IsBounded(name))];

    /// <summary>What streams for as long as the desktop lives: who reads it keeps nothing.</summary>
    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Stream_WithoutEnd_GoesOnUntilTheReaderEndsIt(string call)
    {
        await using var agent = await HostileAgent.StartAsync(PathOf(call), HostileAgent.Flood);
        using var link = new AgentLink(agent.SocketPath, agent.Key, untrusted: fault => Assert.Fail(fault.Message));
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var connection = await link.ConnectAsync(Token);
        var calling = Calls[call](connection, enough.Token);
        await agent.SentAsync(1 << 20);
        Assert.False(calling.IsCompleted);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => calling);
        Assert.False(connection.IsBroken);
    }

    /// <summary>All of them at once. Others stream, or are a step's, which has a deadline: see DeadlineTests.</summary>
    [Fact]
    public async Task Answer_ThatNeverComes_IsWaitedForAsLongAsThePatienceLasts() =>
        await Task.WhenAll(Methods.Select(method => method.Name).Where(IsTimed).Append("Exec").Select(WaitedForAsync));

    [Theory]
    [InlineData("StatFile")]
    [InlineData("WatchSteps")]
    public async Task Detail_OfAStatus_IsOneLineOfBoundedLength(string call)
    {
        await using var agent = await HostileAgent.StartAsync(PathOf(call), HostileAgent.Words);
        using var link = new AgentLink(agent.SocketPath, agent.Key);
        var fault = await Assert.ThrowsAsync<RpcException>(async () => await Calls[call](await link.ConnectAsync(Token), Token));
        Assert.StartsWith("\uFFFD[2J two lines xx", fault.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(ForeignWords.Sentence, fault.Status.Detail.Length);
        Assert.Equal(StatusCode.Unknown, fault.StatusCode);
    }

    [Fact]
    public void Bounds_OfEachCall_AreInTheTable()
    {
        Assert.Equal(Methods.Select(method => method.Name).Order(StringComparer.Ordinal), CallBounds.Names.Order(StringComparer.Ordinal));
        Assert.All(Methods, method => Assert.True(method.IsServerStreaming || IsBounded(method.Name)));
        Assert.Equal(Calls.Keys.Order(StringComparer.Ordinal), CallBounds.Names.Order(StringComparer.Ordinal));
    }

    private static async Task WaitedForAsync(string call)
    {
        await using var agent = await HostileAgent.StartAsync(PathOf(call), HostileAgent.Silence);
        // A loaded machine must be through with an honest Hello in it.
        var patience = TimeSpan.FromSeconds(call == "Hello" ? 0.2 : 5);
        using var link = new AgentLink(agent.SocketPath, agent.Key, new AgentPatience { Answer = patience, Exit = patience });
        var start = new ExecStart { Command = "true", TimeoutMs = 1 };
        var fault = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            var connection = await link.ConnectAsync(Token);
            await (call == "Exec" ? connection.ExecAsync(start, default, 1000, Token) : Calls[call](connection, Token));
        });
        Assert.True(fault.StatusCode == StatusCode.DeadlineExceeded, $"{call}: {fault.Status}");
    }

    private static bool IsTimed(string call) => CallBounds.Of(call).IsTimed;

    private static bool IsBounded(string call) => CallBounds.Of(call).Messages < long.MaxValue;

    /// <summary>The link says once what it was, and asks nothing more of such an agent.</summary>
    private static async Task RefusedAsync(string call, string attack, int length, string what)
    {
        await using var agent = await HostileAgent.StartAsync(PathOf(call), attack, length);
        List<AgentUntrustedException> told = [];
        using var link = new AgentLink(agent.SocketPath, agent.Key, untrusted: told.Add);
        var fault = await Assert.ThrowsAnyAsync<Exception>(async () => await Calls[call](await link.ConnectAsync(Token), Token));

        Assert.Contains(what, Assert.Single(told).Message, StringComparison.Ordinal);
        Assert.EndsWith($", in {call}.", told[0].Message, StringComparison.Ordinal);
        Assert.Equal(told[0], AgentUntrustedException.Of(fault));
        Assert.InRange(agent.Sent, 0, MostOnTheWay);
        Assert.All(agent.Encodings, encoding => Assert.Equal("", encoding));
        await Assert.ThrowsAsync<AgentUntrustedException>(async () => await link.ConnectAsync(Token));
    }

    private static string PathOf(string call)
    {
        var method = Methods.Single(method => method.Name == call);
        return $"/{method.Service.FullName}/{method.Name}";
    }

    private static async Task ReadAsync<TRequest, TResponse>(AsyncDuplexStreamingCall<TRequest, TResponse> call, CancellationToken token)
    {
        using (call)
        {
            await ReadAsync(call.ResponseStream, token);
        }
    }

    private static async Task ReadAsync<TResponse>(AsyncServerStreamingCall<TResponse> call, CancellationToken token)
    {
        using (call)
        {
            await ReadAsync(call.ResponseStream, token);
        }
    }

    private static async Task ReadAsync<TResponse>(IAsyncStreamReader<TResponse> stream, CancellationToken token)
    {
        await foreach (var _ in stream.ReadFairlyAsync(token))
        {
            // A reader that keeps nothing.
        }
    }
}
