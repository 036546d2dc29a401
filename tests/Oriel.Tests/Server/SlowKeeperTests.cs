using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Oriel.Tests.Creation;

namespace Oriel.Tests.Server;

/// <summary>Keepers that answer late, or never: nobody but who asked waits for them.</summary>
public sealed class SlowKeeperTests
{
    /// <summary>The server's own, for a pause and a resume.</summary>
    private static readonly TimeSpan FreezeDeadline = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pause_DoneAfterItsDeadline_IsWhatTheKeeperReportsAndCanBeResumed()
    {
        var clock = new PressedClock();
        await using var server = await StartAsync(clock);
        var id = await ReadyAsync(server);
        var (asked, answer) = Hold(server, "pause");
        var pausing = PostAsync(server, id, "pause");
        await asked;
        clock.Pass(FreezeDeadline);
        using (var late = await pausing)
        {
            Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
            Assert.Contains("has not answered for 10 s", await late.Content.ReadAsStringAsync(Token));
        }

        clock.Rest();
        answer.SetResult();
        await server.WaitForStateAsync(id, "paused");
        using var resumed = await PostAsync(server, id, "resume");
        Assert.Equal("ready", (await resumed.Content.ReadFromJsonAsync<JsonNode>(Token))!["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Pause_AskedAgain_IsNotAnsweredByTheAnswerToTheFirst()
    {
        var clock = new PressedClock();
        await using var server = await StartAsync(clock);
        var id = await ReadyAsync(server);
        var (asked, answer) = Hold(server, "pause");
        var first = PostAsync(server, id, "pause");
        await asked;
        clock.Pass(FreezeDeadline);
        using (await first)
        {
            clock.Rest();
        }

        var (askedAgain, answerAgain) = Hold(server, "pause");
        var second = PostAsync(server, id, "pause");
        await askedAgain;
        answer.SetResult();
        // Its answer comes behind that one, on the same connection.
        using (await server.Api.GetAsync($"/api/desktops/{id}/egress", Token))
        {
            Assert.False(second.IsCompleted);
        }

        answerAgain.SetResult();
        using var paused = await second;
        Assert.Equal(HttpStatusCode.OK, paused.StatusCode);
    }

    [Theory]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("fork")]
    public async Task Command_NeverAnswered_HoldsUpNothingElse(string command)
    {
        var server = await StartAsync(TimeProvider.System);
        var stuck = await ReadyAsync(server);
        if (command == "resume")
        {
            using var paused = await PostAsync(server, stuck, "pause");
        }

        var (asked, _) = Hold(server, command);
        _ = PostAsync(server, stuck, command);
        await asked;

        // Another one's time passes, and its own does.
        var other = await CreateAsync(server, ttl: 1);
        Assert.Equal("expired", (await server.WaitForStateAsync(other, "destroyed"))["reason"]!["code"]!.GetValue<string>());
        Assert.Equal(
            command == "resume" ? "paused" : "ready",
            (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{stuck}", Token))!["state"]!.GetValue<string>()
        );
        var stopping = server.DisposeAsync().AsTask();
        await stopping.WaitAsync(TimeSpan.FromSeconds(8), Token);
    }

    [Theory]
    [InlineData("pause")]
    [InlineData("fork")]
    public async Task TimeToLive_WhileACommandIsNotAnswered_EndsTheDesktop(string command)
    {
        await using var server = await StartAsync(TimeProvider.System);
        var (asked, _) = Hold(server, command);
        var id = await CreateAsync(server, ttl: 4);
        await server.WaitForStateAsync(id, "ready");
        var answer = PostAsync(server, id, command);
        await asked;

        Assert.Equal("expired", (await server.WaitForStateAsync(id, "destroyed"))["reason"]!["code"]!.GetValue<string>());
        using (await answer)
        {
            // Whatever it says: it came.
        }
    }

    /// <summary>The next such command is not obeyed before <c>Answer</c> is set.</summary>
    private static (Task Asked, TaskCompletionSource Answer) Hold(TestServer server, string command)
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Keepers.Ending = async told =>
        {
            if (told == command)
            {
                asked.TrySetResult();
                await answer.Task;
            }

            return null;
        };
        return (asked.Task.WaitAsync(TimeSpan.FromSeconds(60), Token), answer);
    }

    private static Task<HttpResponseMessage> PostAsync(TestServer server, string id, string command) =>
        server.Api.PostAsJsonAsync($"/api/desktops/{id}/{command}", new { }, Token);

    private static async Task<string> ReadyAsync(TestServer server)
    {
        var id = await CreateAsync(server, ttl: null);
        await server.WaitForStateAsync(id, "ready");
        return id;
    }

    private static async Task<string> CreateAsync(TestServer server, int? ttl) =>
        (
            await server.CreateAsync(
                new
                {
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                    ttl,
                }
            )
        )["id"]!.GetValue<string>();

    private static Task<TestServer> StartAsync(TimeProvider clock) =>
        TestServer.StartAsync(
            keepers: new PlayedKeepers { GuestFor = _ => new PlayedGuest() },
            change: options => options with { Driver = PlayedKeepers.Driver },
            clock: clock
        );
}
