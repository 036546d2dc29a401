using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.Server;

/// <summary>A desktop that goes on from another one, as the server sees it; the machines are played.</summary>
public sealed class ForkTests
{
    private static readonly object Wish = new
    {
        name = "first",
        width = PlayedGuest.Width,
        height = PlayedGuest.Height,
        hostname = "first-host",
        env = new Dictionary<string, string> { ["GREETING"] = "a-secret-value" },
        files = new[] { new { path = "/home/user/a.txt", content = "text"u8.ToArray() } },
        egress = new { mode = "list", allow = new[] { new { host = "*.example" } } },
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Fork_OfAReadyDesktop_IsProvenToBeACopyWithItsOwnIdentity()
    {
        await using var forks = await Forks.StartAsync();
        var first = await forks.ReadyAsync();
        var id = await forks.ForkAsync(first);
        await forks.Server.WaitForStateAsync(id, "ready");
        var desktop = (await forks.Server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{id}", Token))!;

        Assert.Equal(("first (fork)", "first-host"), (desktop["name"]!.GetValue<string>(), desktop["hostname"]!.GetValue<string>()));
        Assert.Equal("*.example", desktop["egress"]!["allow"]![0]!["host"]!.GetValue<string>());
        var proofs = (await forks.Server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{id}/attestation", Token))!;
        var former = (await forks.Server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{first}/attestation", Token))!;
        Assert.Equal(id, proofs["desktopId"]!.GetValue<string>());
        Assert.Equal(former["files"]!.ToJsonString(), proofs["files"]!.ToJsonString());
        Assert.Equal(former["environment"]!.ToJsonString(), proofs["environment"]!.ToJsonString());
        Assert.NotEqual(former["canary"]!["body"]!.GetValue<string>(), proofs["canary"]!["body"]!.GetValue<string>());
        Assert.Equal(
            "ready",
            (await forks.Server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{first}", Token))!["state"]!.GetValue<string>()
        );
    }

    [Fact]
    public async Task Fork_ThatTheKeeperRefuses_FailsInThatStepAndLeavesTheOther()
    {
        await using var forks = await Forks.StartAsync();
        var first = await forks.ReadyAsync();
        forks.Server.Keepers.ForkProblem = "cp: No space left on device";
        var reason = (await forks.Server.WaitForStateAsync(await forks.ForkAsync(first), "failed"))["reason"]!;

        Assert.Equal("fork", reason["step"]!.GetValue<string>());
        Assert.Contains("No space left", reason["message"]!.GetValue<string>());
        Assert.Equal(
            "ready",
            (await forks.Server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{first}", Token))!["state"]!.GetValue<string>()
        );
    }

    [Fact]
    public async Task Fork_WhoseDiskShowsAnotherFile_IsNotReady()
    {
        await using var forks = await Forks.StartAsync(reply => reply.Files[0].Sha256 = Google.Protobuf.ByteString.CopyFrom(new byte[32]));
        var reason = (await forks.Server.WaitForStateAsync(await forks.ForkAsync(await forks.ReadyAsync()), "failed"))["reason"]!;

        Assert.Equal(("files-mismatch", "files-verified"), (reason["code"]!.GetValue<string>(), reason["step"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Fork_OfAPausedDesktop_NamesVerbAndState()
    {
        await using var forks = await Forks.StartAsync();
        var first = await forks.ReadyAsync();
        using var paused = await forks.Server.Api.PostAsync($"/api/desktops/{first}/pause", null, Token);
        using var answer = await forks.Server.Api.PostAsJsonAsync($"/api/desktops/{first}/fork", new { }, Token);
        var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>(Token))!;

        Assert.Equal((HttpStatusCode.Conflict, "wrong-state"), (answer.StatusCode, problem["reason"]!.GetValue<string>()));
        Assert.Contains("'fork' is not possible while a desktop is paused", problem["detail"]!.GetValue<string>());
    }

    private sealed class Forks(TestServer server, PlayedKeepers keepers) : IAsyncDisposable
    {
        public TestServer Server => server;

        /// <param name="attesting">Changes what a fork attests.</param>
        public static async Task<Forks> StartAsync(Action<AttestReply>? attesting = null)
        {
            var first = new PlayedGuest();
            var keepers = new PlayedKeepers
            {
                GuestFor = spec => spec.Snapshot is { IsRestore: true, IsOwn: true } ? first.Copy(attesting) : first,
            };
            return new Forks(await TestServer.StartAsync(keepers: keepers, change: o => o with { Driver = PlayedKeepers.Driver }), keepers);
        }

        public async Task<string> ReadyAsync()
        {
            var id = (await server.CreateAsync(Wish))["id"]!.GetValue<string>();
            await server.WaitForStateAsync(id, "ready");
            return id;
        }

        public async Task<string> ForkAsync(string id)
        {
            using var answer = await server.Api.PostAsJsonAsync($"/api/desktops/{id}/fork", new { }, Token);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            return (await answer.Content.ReadFromJsonAsync<JsonObject>(Token))!["id"]!.GetValue<string>();
        }

        public async ValueTask DisposeAsync()
        {
            await server.DisposeAsync();
            await keepers.DisposeAsync();
        }
    }
}
