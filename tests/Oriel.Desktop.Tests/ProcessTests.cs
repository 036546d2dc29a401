using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>Processes and terminals of a live desktop, over the API.</summary>
public sealed class ProcessTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Process_NobodyWatches_RunsOnAndIsReachedByItsId()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var process = await StartAsync(
            id,
            new
            {
                command = "/bin/bash",
                args = new[]
                {
                    "-c",
                    "trap 'echo signalled' USR1; echo begun; until read -r line; do :; done; echo \"read $line\"; echo oops >&2; exit 5",
                },
            }
        );
        Assert.Equal("begun\n", await FirstAsync(process, "begun\n".Length));

        // The server goes: the process does not.
        await Server.KillAsync();
        await Server.RestartAsync();
        await Server.WaitReadyAsync(id);
        Assert.Equal("running", await StateAsync(process));
        using var signalled = await Server.Api.PostAsJsonAsync($"{process}/signal", new { signal = "USR1" }, Token);
        Assert.True(signalled.StatusCode == HttpStatusCode.NoContent, await signalled.Content.ReadAsStringAsync(Token));
        Assert.Equal("begun\nsignalled\n", await FirstAsync(process, "begun\nsignalled\n".Length));
        using var written = await Server.Api.PostAsync($"{process}/stdin?end=true", new StringContent("a line\n"), Token);
        Assert.Equal(HttpStatusCode.NoContent, written.StatusCode);

        Assert.Equal("begun\nsignalled\nread a line\noops\n", await Server.Api.GetStringAsync($"{process}/output?follow=true", Token));
        Assert.Equal("oops\n", await Server.Api.GetStringAsync($"{process}/output?stream=stderr", Token));
        Assert.Equal("read a line\noops\n", await Server.Api.GetStringAsync($"{process}/output?from=16", Token));
        var ended = (await Server.Api.GetFromJsonAsync<JsonNode>(process, Token))!;
        Assert.Equal(("exited", 5, 33), (Text(ended, "state"), ended["exitCode"]!.GetValue<int>(), ended["outputEnd"]!.GetValue<int>()));
        using var late = await Server.Api.PostAsync($"{process}/stdin", new StringContent("more"), Token);
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        using var removed = await Server.Api.DeleteAsync(process, Token);
        using var gone = await Server.Api.GetAsync(process, Token);
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NotFound), (removed.StatusCode, gone.StatusCode));
    }

    [Fact]
    public async Task Process_Removed_IsKilledWithAllOfItsSession()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var process = await StartAsync(
            id,
            new { command = "/bin/bash", args = new[] { "-c", "set -m; sleep 7773 & echo begun; sleep 7774" } }
        );
        await FirstAsync(process, 1);
        using var removed = await Server.Api.DeleteAsync(process, Token);

        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        Assert.Equal(1, (await Server.ShellAsync(id, "pgrep -f '^sleep 777[34]'")).ExitCode);
    }

    [Fact]
    public async Task Terminal_Attached_IsAShellWithSizeAndExit()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var process = await StartAsync(
            id,
            new
            {
                pty = true,
                columns = 91,
                rows = 27,
            }
        );
        using var socket = await AttachAsync(process, 0);
        await TypeAsync(socket, "stty size; tty | cut -c1-8; id -un; echo $TERM; pwd\n");
        var screen = await ReadUntilAsync(socket, "/home/user\r\n");
        Assert.Matches("27 91\r\n/dev/pts\r\nuser\r\nxterm-256color\r\n/home/user\r\n", screen);

        await socket.SendAsync("""{"window":{"columns":120,"rows":40}}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
        await TypeAsync(socket, "stty size; cat\n");
        await ReadUntilAsync(socket, "40 120\r\n");
        await TypeAsync(socket, "said\n");
        await ReadUntilAsync(socket, "said\r\nsaid\r\n");
        // Ctrl-C ends cat, and the shell goes on.
        await TypeAsync(socket, "\u0003");
        await ReadUntilAsync(socket, "$ ");
        await TypeAsync(socket, "echo \"st\"ill here\n");
        await ReadUntilAsync(socket, "still here\r\n");

        // Somebody else, or the same person after a reload, sees what was there.
        using (var second = await AttachAsync(process, 0))
        {
            Assert.Contains("27 91\r\n", await ReadUntilAsync(second, "still here\r\n"));
            await TypeAsync(second, "exit 3\n");
            Assert.EndsWith(
                """{"exit":{"exitCode":3,"timedOut":false}}closed NormalClosure""",
                await ReadUntilAsync(second, "NormalClosure")
            );
        }

        Assert.EndsWith("closed NormalClosure", await ReadUntilAsync(socket, "NormalClosure"));
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    /// <returns>Its address.</returns>
    private async Task<string> StartAsync(string id, object request)
    {
        using var started = await Server.Api.PostAsJsonAsync($"/api/desktops/{id}/processes", request, Token);
        Assert.True(started.StatusCode == HttpStatusCode.Created, await started.Content.ReadAsStringAsync(Token));
        return started.Headers.Location!.OriginalString;
    }

    private async Task<string> StateAsync(string process) => Text((await Server.Api.GetFromJsonAsync<JsonNode>(process, Token))!, "state");

    /// <summary>So many bytes of its output, as soon as they are there.</summary>
    private async Task<string> FirstAsync(string process, int bytes)
    {
        using var response = await Server.Api.GetAsync($"{process}/output?follow=true", HttpCompletionOption.ResponseHeadersRead, Token);
        await using var stream = await response.Content.ReadAsStreamAsync(Token);
        var output = new byte[bytes];
        await stream.ReadExactlyAsync(output, Token);
        return Encoding.UTF8.GetString(output);
    }

    private async Task<ClientWebSocket> AttachAsync(string process, long from)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("oriel.process.v1");
        socket.Options.SetRequestHeader("Authorization", $"Bearer {await Server.TokenAsync()}");
        await socket.ConnectAsync(new Uri($"ws://{Server.Address.Authority}{process}/socket?from={from}"), Token);
        return socket;
    }

    private static Task TypeAsync(ClientWebSocket socket, string text) =>
        socket.SendAsync((byte[])[0, .. Encoding.UTF8.GetBytes(text)], WebSocketMessageType.Binary, true, Token);

    /// <summary>Output, texts, and how it was closed, until what is wanted stands there.</summary>
    private static async Task<string> ReadUntilAsync(ClientWebSocket socket, string wanted)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        var all = new StringBuilder();
        var buffer = new byte[64 * 1024];
        var begins = true;
        try
        {
            while (!all.ToString().Contains(wanted, StringComparison.Ordinal))
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(), deadline.Token);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    all.Append("closed ").Append(socket.CloseStatus);
                    Assert.Contains(wanted, all.ToString());
                    break;
                }

                var kind = begins && part.MessageType == WebSocketMessageType.Binary ? 1 : 0;
                all.Append(Encoding.UTF8.GetString(buffer, kind, part.Count - kind));
                begins = part.EndOfMessage;
            }
        }
        catch (OperationCanceledException) when (!Token.IsCancellationRequested)
        {
            Assert.Fail($"'{wanted}' did not come, but: {all}");
        }

        return all.ToString();
    }
}
