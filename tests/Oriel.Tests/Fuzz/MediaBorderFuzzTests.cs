using System.Net;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Oriel.Protocol.Display;
using Oriel.Server.Streaming;
using Oriel.Streaming.Page;
using Oriel.Tests.Streaming;

namespace Oriel.Tests.Fuzz;

/// <summary>
/// The real signalling endpoints and a real WebSocket, over a played agent; and what an agent that was taken over may say.
/// </summary>
public sealed class MediaBorderFuzzTests
{
    private const int Batch = 20;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WhepOffer_Mutated_Is201OrRefusedPlainly()
    {
        await using var server = await StreamingServer.StartAsync();
        await Fuzzer.RunAsync(
            "sdp",
            async input =>
            {
                if (input.Length > StreamingEndpoints.MaxBodyBytes)
                {
                    return;
                }

                using var content = new ByteArrayContent(input);
                content.Headers.ContentType = new("application/sdp");
                using var response = await server.Http.PostAsync($"{server.DesktopPath}/whep", content, Stop);
                var text = await response.Content.ReadAsStringAsync(Stop);
                if (response.StatusCode == HttpStatusCode.Created)
                {
                    Assert.StartsWith("v=0", text, StringComparison.Ordinal);
                    using var ended = await server.Http.DeleteAsync(response.Headers.Location, Stop);
                    Assert.Equal(HttpStatusCode.OK, ended.StatusCode);
                    return;
                }

                Assert.InRange((int)response.StatusCode, 400, 499);
                Assert.Contains("\"reason\":\"", text, StringComparison.Ordinal);
            },
            iterations: 120,
            form: FuzzForm.Text
        );
        await RequireAliveAsync(server);
    }

    [Fact]
    public async Task WhepFragment_Mutated_IsTakenOrRefusedPlainly()
    {
        await using var server = await StreamingServer.StartAsync();
        using var offer = new ByteArrayContent(Fuzzer.Seeds("sdp")[0]);
        offer.Headers.ContentType = new("application/sdp");
        using var created = await server.Http.PostAsync($"{server.DesktopPath}/whep", offer, Stop);
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        await Fuzzer.RunAsync(
            "sdp-fragment",
            async input =>
            {
                if (input.Length > StreamingEndpoints.MaxBodyBytes)
                {
                    return;
                }

                using var content = new ByteArrayContent(input);
                content.Headers.ContentType = new("application/trickle-ice-sdpfrag");
                using var response = await server.Http.PatchAsync(created.Headers.Location, content, Stop);
                Assert.True(response.IsSuccessStatusCode || (int)response.StatusCode is >= 400 and < 500, response.StatusCode.ToString());
            },
            iterations: 200,
            form: FuzzForm.Text
        );
        await RequireAliveAsync(server);
    }

    [Fact]
    public async Task AnswerBody_Mutated_IsTakenOrRefusedPlainly()
    {
        await using var server = await StreamingServer.StartAsync();
        await Fuzzer.RunAsync(
            "webrtc-answer",
            async input =>
            {
                if (input.Length > StreamingEndpoints.MaxBodyBytes)
                {
                    // 413 comes before the body has been sent, whose rest then finds a closed connection.
                    return;
                }

                using var content = new ByteArrayContent(input);
                content.Headers.ContentType = new("application/json");
                using var response = await server.Http.PostAsync($"{server.DesktopPath}/webrtc/answer", content, Stop);
                var text = await response.Content.ReadAsStringAsync(Stop);
                if (response.StatusCode == HttpStatusCode.OK)
                {
                    using var ended = await server.Http.DeleteAsync(
                        $"{server.DesktopPath}/whep/{JsonDocument.Parse(text).RootElement.GetProperty("viewer").GetString()}",
                        Stop
                    );
                    return;
                }

                Assert.InRange((int)response.StatusCode, 400, 499);
                Assert.Contains("\"reason\":\"", text, StringComparison.Ordinal);
            },
            iterations: 200,
            form: FuzzForm.Json
        );
        await RequireAliveAsync(server);
    }

    [Fact]
    public async Task SocketMessage_Mutated_IsTakenOrIgnoredAndTheViewerStays()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        var id = 0;
        await Fuzzer.RunAsync(
            "page-message",
            async input =>
            {
                // A WebSocket text that is not UTF-8 ends the connection, by its own rules (RFC 6455 section 8.1).
                // One that is too long does as well (MessageTooBig).
                var text = Encoding.UTF8.GetString(input);
                if (Encoding.UTF8.GetByteCount(text) <= PageMessage.MaxBytes)
                {
                    await page.SendAsync(text);
                }

                if (++id % Batch == 0)
                {
                    await RequirePongAsync(page, 1_000_000_000L + id);
                }
            },
            iterations: 500,
            form: FuzzForm.Json
        );
        await RequirePongAsync(page, 1);
    }

    /// <summary>
    /// The guest's root may put another in the agent's place: what it then says of its screen ends no viewer and no server.
    /// </summary>
    [Fact]
    public async Task DisplayEvent_Mutated_IsPassedOnOrIgnoredAndTheViewerStays()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await server.Agent.Display.UntilAsync(() => server.Agent.Display.Watches > 0, "no watch call");
        var id = 0;
        await Fuzzer.RunAsync(
            "display-event",
            async input =>
            {
                DisplayEvent change;
                try
                {
                    change = input is [(byte)'{', ..]
                        ? JsonParser.Default.Parse<DisplayEvent>(Encoding.UTF8.GetString(input))
                        : DisplayEvent.Parser.ParseFrom(input);
                }
                catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException || input is [(byte)'{', ..])
                {
                    return;
                }

                server.Agent.Display.Push(change);
                if (++id % Batch == 0)
                {
                    await RequirePongAsync(page, id);
                }
            },
            iterations: 400,
            form: FuzzForm.Json
        );
        await RequirePongAsync(page, int.MaxValue);
        Assert.Equal(1, server.Agent.Display.Watches);
    }

    private static async Task RequirePongAsync(SocketPage page, long id)
    {
        await page.SendAsync($$$"""{"c":"control","m":{"t":"ping","id":{{{id}}}}}""");
        while ((await page.NextTextAsync("pong")).GetProperty("id").GetInt64() != id) { }
    }

    private static async Task RequireAliveAsync(StreamingServer server)
    {
        using var offer = new ByteArrayContent(Fuzzer.Seeds("sdp")[0]);
        offer.Headers.ContentType = new("application/sdp");
        using var response = await server.Http.PostAsync($"{server.DesktopPath}/whep", offer, Stop);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }
}
