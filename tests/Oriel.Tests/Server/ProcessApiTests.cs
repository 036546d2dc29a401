using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.Server;

/// <summary>Processes over HTTP and over a socket; what a real guest makes of them is in the Linux and desktop rings.</summary>
public sealed class ProcessApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Start_WithATerminalAndNoCommand_IsTheShell()
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes);
        using var response = await server.Api.PostAsJsonAsync(
            $"/api/desktops/{server.LastId}/processes",
            new
            {
                pty = true,
                columns = 132,
                rows = 43,
                cwd = "/tmp",
            },
            Token
        );
        var process = await response.Content.ReadFromJsonAsync<JsonNode>(Token);

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal($"/api/desktops/{server.LastId}/processes/{PlayedProcesses.Id}", response.Headers.Location?.OriginalString);
        Assert.Equal("running", process!["state"]!.GetValue<string>());
        var started = processes.Started;
        Assert.Equal(
            ("", true, 132u, 43u, "/tmp", 0L),
            (started.Command, started.Pty, started.Columns, started.Rows, started.Cwd, started.TimeoutMs)
        );
    }

    [Theory]
    [InlineData("processes", """{}""", "command must name a program")]
    [InlineData("processes", """{"pty":true,"args":["-x"]}""", "command must name a program")]
    [InlineData("processes", """{"command":"a","columns":80,"rows":24}""", "pty must be true")]
    [InlineData("processes", """{"command":"a","pty":true,"columns":80}""", "columns and rows must be")]
    [InlineData("processes", """{"command":"a","pty":true,"columns":0,"rows":24}""", "columns and rows must be")]
    [InlineData("processes", """{"command":"a","timeout":0}""", "timeout must be")]
    [InlineData("processes", """{"command":"a","timeout":604801}""", "timeout must be")]
    [InlineData("processes", """{"command":"a","args":[null]}""", "args must be")]
    [InlineData("processes", """{"command":"a","env":{"A=B":""}}""", "env must be")]
    [InlineData("processes/p1/signal", """{}""", "signal must be one of")]
    [InlineData("processes/p1/signal", """{"signal":"65"}""", "signal must be one of")]
    [InlineData("processes/p1/window", """{"columns":80}""", "columns and rows must be")]
    [InlineData("processes/p1/window", """{"columns":80,"rows":1001}""", "columns and rows must be")]
    public async Task Request_ThatIsWrong_NamesTheField(string path, string body, string words)
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes);
        using var response = await server.Api.PostAsync(
            $"/api/desktops/{server.LastId}/{path}",
            new StringContent(body, Encoding.UTF8, "application/json"),
            Token
        );

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(words, (await response.Content.ReadFromJsonAsync<JsonNode>(Token))!["detail"]!.GetValue<string>());
        Assert.Empty(processes.Taken);
    }

    [Fact]
    public async Task Input_OfAnyLength_ArrivesInOrderAndEnds()
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes);
        var sent = new byte[300_000];
        Random.Shared.NextBytes(sent);
        var address = $"/api/desktops/{server.LastId}/processes/{PlayedProcesses.Id}";
        using var written = await server.Api.PostAsync($"{address}/stdin?end=true", new ByteArrayContent(sent), Token);
        using var signalled = await server.Api.PostAsJsonAsync($"{address}/signal", new { signal = "SIGTERM" }, Token);

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NoContent), (written.StatusCode, signalled.StatusCode));
        var taken = processes.Taken.ToList();
        Assert.Equal(15, taken[^1].Signal);
        Assert.True(taken[^2].EndOfStdin);
        Assert.Equal(sent, taken[..^2].SelectMany(input => input.Stdin));
        Assert.All(taken[..^2], input => Assert.InRange(input.Stdin.Length, 1, 64 * 1024));
    }

    [Theory]
    [InlineData("", "out err ")]
    [InlineData("&stream=stdout", "out ")]
    [InlineData("&stream=stderr", "err ")]
    public async Task Output_Followed_EndsWithTheProcess(string stream, string expected)
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes);
        var address = $"/api/desktops/{server.LastId}/processes/{PlayedProcesses.Id}/output?follow=true{stream}";
        using var response = await server.Api.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, Token);
        Assert.Equal(["0"], response.Headers.GetValues("X-Oriel-Output-From"));
        processes.Write("out ");
        processes.Write("err ", isError: true);
        processes.End(0);

        Assert.Equal(expected, await response.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task Socket_OutputGapInputAndExit_AllCome()
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes);
        using var socket = await AttachAsync(server);
        processes.Write("out");
        Assert.Equal("1:out", await ReceiveAsync(socket));
        processes.Write("err", isError: true);
        Assert.Equal("2:err", await ReceiveAsync(socket));
        processes.Drop(100);
        processes.Write("later");
        Assert.Equal("""{"from":106}""", await ReceiveAsync(socket));
        Assert.Equal("1:later", await ReceiveAsync(socket));

        await socket.SendAsync(new byte[] { 0, (byte)'a' }, WebSocketMessageType.Binary, endOfMessage: false, Token);
        await socket.SendAsync(new byte[] { 0, (byte)'b' }, WebSocketMessageType.Binary, endOfMessage: true, Token);
        await socket.SendAsync("""{"window":{"columns":100,"rows":30}}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
        await socket.SendAsync("""{"signal":"INT"}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
        await socket.SendAsync("""{"end":true}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
        Assert.Equal("a", Take().Stdin.ToStringUtf8());
        Assert.Equal("\0b", Take().Stdin.ToStringUtf8());
        var window = Take().Window;
        Assert.Equal((100u, 30u), (window.Columns, window.Rows));
        Assert.Equal(2, Take().Signal);
        Assert.True(Take().EndOfStdin);

        processes.End(3);
        Assert.Equal("""{"exit":{"exitCode":3,"timedOut":false}}""", await ReceiveAsync(socket));
        Assert.Equal("closed NormalClosure exited", await ReceiveAsync(socket));

        ExecInput Take() => processes.Taken.TryTake(out var input, TimeSpan.FromSeconds(30)) ? input : throw new TimeoutException();
    }

    [Theory]
    [InlineData("text", "{", "InvalidPayloadData")]
    [InlineData("text", "{}", "InvalidPayloadData")]
    [InlineData("text", "null", "InvalidPayloadData")]
    [InlineData("text", """{"other":1}""", "InvalidPayloadData")]
    [InlineData("text", """{"signal":"NONE"}""", "InvalidPayloadData")]
    [InlineData("text", """{"signal":"INT","end":true}""", "InvalidPayloadData")]
    [InlineData("text", """{"end":false}""", "InvalidPayloadData")]
    [InlineData("text", """{"window":{"columns":80}}""", "InvalidPayloadData")]
    [InlineData("text", """{"window":{"columns":-1,"rows":1e400}}""", "InvalidPayloadData")]
    [InlineData("text", "long", "MessageTooBig")]
    [InlineData("binary", "", "InvalidPayloadData")]
    [InlineData("binary", "x", "InvalidPayloadData")]
    public async Task Socket_MessageThatIsWrong_ClosesItAndSaysWhy(string kind, string message, string status)
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes);
        using var socket = await AttachAsync(server);
        var bytes = message == "long" ? Enumerable.Repeat((byte)' ', 1 << 20).ToArray() : Encoding.UTF8.GetBytes(message);
        try
        {
            await socket.SendAsync(bytes, kind == "text" ? WebSocketMessageType.Text : WebSocketMessageType.Binary, true, Token);
        }
        catch (WebSocketException)
        {
            // Closed before all of it was taken.
        }

        Assert.StartsWith($"closed {status} ", await ReceiveAsync(socket));
        Assert.Empty(processes.Taken);
    }

    [Theory]
    [InlineData("p2", "oriel.process.v1", HttpStatusCode.NotFound)]
    [InlineData(PlayedProcesses.Id, "oriel.v1", HttpStatusCode.BadRequest)]
    public async Task Socket_OfNothing_IsRefused(string process, string protocol, HttpStatusCode status)
    {
        await using var server = await StartAsync(new PlayedProcesses { Runs = true });
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(server, socket, process, protocol));
        Assert.Equal(status, socket.HttpStatusCode);
    }

    /// <summary>Another desktop, which nobody uses, tells that the time is over.</summary>
    [Fact]
    public async Task IdlePause_WhileSomebodyWaitsForAProcess_IsNotYet()
    {
        var processes = new PlayedProcesses { Runs = true };
        await using var server = await StartAsync(processes, idlePause: 1);
        var used = server.LastId;
        using var follow = await server.Api.GetAsync(
            $"/api/desktops/{used}/processes/{PlayedProcesses.Id}/output?follow=true",
            HttpCompletionOption.ResponseHeadersRead,
            Token
        );
        await CreateAsync(server, idlePause: 1);
        await server.WaitForStateAsync(server.LastId, "paused");
        var desktop = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{used}", Token))!;
        Assert.Equal("ready", desktop["state"]!.GetValue<string>());

        processes.End(0);
        await follow.Content.ReadAsStringAsync(Token);
        await server.WaitForStateAsync(used, "paused");
    }

    private static async Task<TestServer> StartAsync(PlayedProcesses processes, int? idlePause = null)
    {
        var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { GuestFor = _ => new PlayedGuest { Processes = processes } },
            change: options => options with { Driver = PlayedKeepers.Driver }
        );
        await CreateAsync(server, idlePause);
        return server;
    }

    private static async Task CreateAsync(TestServer server, int? idlePause)
    {
        var desktop = await server.CreateAsync(
            new
            {
                width = PlayedGuest.Width,
                height = PlayedGuest.Height,
                idlePause,
            }
        );
        await server.WaitForStateAsync(desktop["id"]!.GetValue<string>(), "ready");
    }

    private static async Task<ClientWebSocket> AttachAsync(TestServer server)
    {
        var socket = new ClientWebSocket();
        await ConnectAsync(server, socket, PlayedProcesses.Id, "oriel.process.v1");
        return socket;
    }

    private static Task ConnectAsync(TestServer server, ClientWebSocket socket, string process, string protocol)
    {
        socket.Options.AddSubProtocol(protocol);
        socket.Options.SetRequestHeader("Authorization", $"Bearer {server.Token}");
        var address = new UriBuilder(server.Url) { Scheme = "ws", Path = $"/api/desktops/{server.LastId}/processes/{process}/socket" };
        return socket.ConnectAsync(address.Uri, Token);
    }

    /// <summary>A text as it is, a binary message as its kind and text, or how the socket was closed.</summary>
    private static async Task<string> ReceiveAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        var length = 0;
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(length), Token);
            length += part.Count;
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return $"closed {socket.CloseStatus} {socket.CloseStatusDescription}";
            }

            if (part.EndOfMessage)
            {
                return part.MessageType == WebSocketMessageType.Text
                    ? Encoding.UTF8.GetString(buffer, 0, length)
                    : $"{buffer[0]}:{Encoding.UTF8.GetString(buffer, 1, length - 1)}";
            }
        }
    }
}
