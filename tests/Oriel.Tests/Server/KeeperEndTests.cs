using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Oriel.Tests.Server;

/// <summary>
/// A keeper that ends while something is asked of it, on a clock on which no deadline passes: what waits for one would wait for good.
/// </summary>
public sealed class KeeperEndTests
{
    private static readonly PlayedEnd Killed = new("oom", "the kernel killed the VMM for want of memory");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("pause", false)]
    [InlineData("pause", true)]
    [InlineData("resume", false)]
    [InlineData("resume", true)]
    [InlineData("fork", false)]
    [InlineData("fork", true)]
    [InlineData("counters", false)]
    public async Task Command_KeeperThatEndsInIt_FailsTheDesktopWithItsReason(string command, bool isAnswered)
    {
        await using var server = await StartAsync();
        var id = await ReadyAsync(server);
        if (command == "resume")
        {
            using var paused = await AskAsync(server, id, "pause");
            Assert.Equal(HttpStatusCode.OK, paused.StatusCode);
        }

        server.Keepers.Ending = asked => Task.FromResult(asked == command ? Killed with { IsAnswered = isAnswered } : null);
        using var answer = await AskAsync(server, id, command);
        if (!isAnswered && command is "pause" or "resume")
        {
            var problem = (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!;
            Assert.Equal((HttpStatusCode.Conflict, "not-possible-here"), (answer.StatusCode, problem["reason"]!.GetValue<string>()));
            Assert.Contains("the keeper ended: " + Killed.Detail, problem["detail"]!.GetValue<string>());
        }

        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;
        Assert.Equal((Killed.Reason, Killed.Detail), (reason["code"]!.GetValue<string>(), reason["message"]!.GetValue<string>()));
        await server.WaitForStateAsync(id, "destroyed");
        if (command == "fork")
        {
            var fork = (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!["id"]!.GetValue<string>();
            // One that was copied before the other's end is whole.
            var state = await server.WaitForStateAsync(fork, isAnswered ? "ready" : "failed");
            Assert.Equal(
                isAnswered ? null : $"The desktop {id} could not be copied: the keeper ended: {Killed.Detail}",
                state["reason"]?["message"]?.GetValue<string>()
            );
        }
    }

    [Theory]
    [InlineData("pause")]
    [InlineData("fork")]
    public async Task Delete_WhileACommandIsNotAnswered_IsDoneWhenTheKeeperEnds(string command)
    {
        await using var server = await StartAsync();
        var id = await ReadyAsync(server);
        var asked = new TaskCompletionSource();
        var deleting = new TaskCompletionSource();
        server.Keepers.Ending = async told =>
        {
            if (told != command)
            {
                return null;
            }

            asked.TrySetResult();
            await deleting.Task;
            return Killed;
        };
        var answer = AskAsync(server, id, command);
        await asked.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);
        var deleted = server.Api.DeleteAsync($"/api/desktops/{id}", Token);
        deleting.SetResult();
        using (await answer)
        using (var response = await deleted)
        {
            Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        }

        await server.WaitForStateAsync(id, "destroyed");
    }

    /// <summary>The one asks for it that ends a desktop anyway.</summary>
    [Fact]
    public async Task Delete_KeeperThatEndsInTheStop_IsDoneAsItWasAskedFor()
    {
        await using var server = await StartAsync();
        var id = await ReadyAsync(server);
        server.Keepers.Ending = told => Task.FromResult(told == "stop" ? Killed : null);
        using var deleted = await server.Api.DeleteAsync($"/api/desktops/{id}", Token);
        Assert.Equal("requested", (await server.WaitForStateAsync(id, "destroyed"))["reason"]!["code"]!.GetValue<string>());
    }

    private static Task<HttpResponseMessage> AskAsync(TestServer server, string id, string command) =>
        command switch
        {
            "counters" => server.Api.GetAsync($"/api/desktops/{id}/egress", Token),
            "fork" => server.Api.PostAsJsonAsync($"/api/desktops/{id}/fork", new { }, Token),
            _ => server.Api.PostAsync($"/api/desktops/{id}/{command}", null, Token),
        };

    private static async Task<TestServer> StartAsync()
    {
        var first = new PlayedGuest();
        return await TestServer.StartAsync(
            keepers: new PlayedKeepers { GuestFor = spec => spec.Snapshot is { IsRestore: true, IsOwn: true } ? first.Copy(null) : first },
            change: options => options with { Driver = PlayedKeepers.Driver },
            clock: new PatientClock()
        );
    }

    private static async Task<string> ReadyAsync(TestServer server)
    {
        var id = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        return id;
    }

    /// <summary>This machine's clock, but for what it waits a second or longer for, which never comes.</summary>
    private sealed class PatientClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime < TimeSpan.FromSeconds(1) ? dueTime : Timeout.InfiniteTimeSpan, period);
    }
}
