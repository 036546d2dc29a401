using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

/// <summary>The life of a desktop as far as it goes without a guest: the keeper is played, everything else is real.</summary>
public sealed class DesktopLifeTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A unix socket's address has 107 bytes of path; unnoticed, a desktop could neither be made nor be taken down.</summary>
    [Fact]
    public async Task Start_DataDirectoryWithATooLongPath_IsRefusedByName()
    {
        var parent = Directory.CreateTempSubdirectory("oriel-long-").FullName;
        try
        {
            var data = Directory.CreateDirectory(Path.Combine(parent, new string('x', 90))).FullName;
            var refused = await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                await using var server = await TestServer.StartAsync(data);
            });
            Assert.Contains("too long", refused.Message, StringComparison.Ordinal);
            Assert.Contains("--data", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(parent, recursive: true);
        }
    }

    [Fact]
    public async Task Create_GuestThatNeverStarts_FailsNamingTheStepAndWhatWasLastSeen()
    {
        await using var server = await TestServer.StartAsync(deadlines: TestServer.Short);
        server.Keepers.Script =
        [
            new KeeperStep(1, "scratch", KeeperStepState.Running, 0, "mounting"),
            new ConsoleLine(2, "kernel says hello"),
        ];
        var desktop = await server.CreateAsync();
        var id = desktop["id"]!.GetValue<string>();
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;

        Assert.Equal("step-deadline", reason["code"]!.GetValue<string>());
        Assert.Equal("guest-start", reason["step"]!.GetValue<string>());
        Assert.Contains("scratch running: mounting", reason["lastSeen"]!.GetValue<string>());
        Assert.Contains("kernel says hello", reason["log"]!.ToJsonString());
        await server.WaitForAsync(id, "end", _ => true);
        Assert.False(server.Layout.BundleOf(id).Exists);
        Assert.Equal(0, server.Keepers.Running);
        Assert.Equal("destroyed", (await GetAsync(server, id))["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Create_AgentThatNeverAnswers_FailsInTheStepAgent()
    {
        await using var server = await TestServer.StartAsync(deadlines: TestServer.Short);
        server.Keepers.Script = [new GuestRunning(1)];
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;

        Assert.Equal("agent", reason["step"]!.GetValue<string>());
    }

    [Fact]
    public async Task Keeper_ThatIsKilled_FailsTheDesktopAndLeavesNothing()
    {
        await using var server = await TestServer.StartAsync();
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        await server.WaitForAsync(id, "step", e => e["name"]!.GetValue<string>() == "namespaces");
        await server.Keepers.DieAsync(id);
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;

        Assert.Equal(("keeper-died", "guest-start"), (reason["code"]!.GetValue<string>(), reason["step"]!.GetValue<string>()));
        await server.WaitForAsync(id, "end", _ => true);
        Assert.False(server.Layout.BundleOf(id).Exists);
    }

    [Fact]
    public async Task Keeper_ThatSaysWhyItEnds_PassesItsReasonOn()
    {
        await using var server = await TestServer.StartAsync();
        server.Keepers.Script =
        [
            new KeeperStep(1, "container-start", KeeperStepState.Failed, 1, "no such file"),
            new KeeperExit(2, "guest-exited", "crun: no such file"),
        ];
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        await server.WaitForAsync(id, "step", e => e["name"]!.GetValue<string>() == "container-start");
        await server.Keepers.DieAsync(id);
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;

        Assert.Equal("guest-exited", reason["code"]!.GetValue<string>());
        Assert.Equal("container-start", reason["step"]!.GetValue<string>());
        Assert.Equal("crun: no such file", reason["message"]!.GetValue<string>());
    }

    [Fact]
    public async Task Destroy_WhileCreating_IsIdempotentAndLeavesNothing()
    {
        await using var server = await TestServer.StartAsync();
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        await server.WaitForAsync(id, "step", e => e["name"]!.GetValue<string>() == "namespaces");
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => server.Api.DeleteAsync($"/api/desktops/{id}", Token)));
        await server.WaitForStateAsync(id, "destroyed");

        Assert.All(answers, answer => Assert.Equal(202, (int)answer.StatusCode));
        var reason = (await GetAsync(server, id))["reason"]!["code"]!.GetValue<string>();
        Assert.Equal("requested", reason);
        Assert.Equal(0, server.Keepers.Running);
        Assert.Empty((await server.Api.GetFromJsonAsync<JsonNode>("/api/desktops", Token))!["desktops"]!.AsArray());
        Assert.Single((await server.Api.GetFromJsonAsync<JsonNode>("/api/desktops?all=true", Token))!["desktops"]!.AsArray());
    }

    [Fact]
    public async Task Ttl_ThatRunsOut_DestroysWithThatReason()
    {
        await using var server = await TestServer.StartAsync();
        var id = (await server.CreateAsync(new { ttl = 1 }))["id"]!.GetValue<string>();
        var state = await server.WaitForStateAsync(id, "destroying");

        Assert.Equal("expired", state["reason"]!["code"]!.GetValue<string>());
        await server.WaitForStateAsync(id, "destroyed");
    }

    [Fact]
    public async Task Server_ThatEndsWhileCreating_TheNextFailsItAsServerRestartedAndCleansUp()
    {
        var data = Directory.CreateTempSubdirectory("oriel-restart-").FullName;
        await using var keepers = new PlayedKeepers();
        try
        {
            string id;
            long lastId;
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                id = (await server.CreateAsync())["id"]!.GetValue<string>();
                await server.WaitForAsync(id, "step", e => e["name"]!.GetValue<string>() == "namespaces");
                lastId = await LastEventAsync(server, id);
            }

            Assert.Equal(1, keepers.Running);
            var orphan = Directory.CreateDirectory(new DataLayout(data).BundleOf("d-zzzzzzzzzz").Path).FullName;
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;
                Assert.Equal("server-restarted", reason["code"]!.GetValue<string>());
                await server.WaitForAsync(id, "end", _ => true);
                Assert.Equal(0, keepers.Running);
                Assert.False(new DataLayout(data).BundleOf(id).Exists);
                Assert.False(Directory.Exists(orphan));

                var ids = new List<long>();
                await foreach (var (eventId, _, _) in server.EventsAsync(id, $"{lastId}", Token))
                {
                    ids.Add(long.Parse(eventId, System.Globalization.CultureInfo.InvariantCulture));
                }

                Assert.NotEmpty(ids);
                Assert.All(ids, later => Assert.True(later > lastId, $"{later} came after {lastId}"));
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Events_WithALastId_ContinueBehindIt()
    {
        await using var server = await TestServer.StartAsync(deadlines: TestServer.Short);
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        await server.WaitForAsync(id, "end", _ => true);
        var all = await ReadAsync(server, id, null);
        var rest = await ReadAsync(server, id, all[2].Id);

        Assert.Equal(all.Skip(3), rest);
        Assert.Equal("state", all[0].Kind);
        Assert.Equal("end", all[^1].Kind);
    }

    [Fact]
    public async Task Create_TenAtOnce_AllRunTheirCourse()
    {
        await using var server = await TestServer.StartAsync(maxDesktops: 10, deadlines: TestServer.Short);
        var created = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => server.CreateAsync(new { name = $"desk {i}" })));
        foreach (var desktop in created)
        {
            await server.WaitForAsync(desktop["id"]!.GetValue<string>(), "end", _ => true);
        }

        Assert.Equal(10, created.Select(d => d["id"]!.GetValue<string>()).Distinct().Count());
        Assert.Empty(Directory.EnumerateFileSystemEntries(server.Layout.Desktops));
        Assert.Equal(0, server.Keepers.Running);
    }

    private static async Task<JsonNode> GetAsync(TestServer server, string id) =>
        (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;

    private static async Task<List<(string Id, string Kind, string Data)>> ReadAsync(TestServer server, string id, string? lastId)
    {
        var read = new List<(string, string, string)>();
        await foreach (var item in server.EventsAsync(id, lastId, Token))
        {
            read.Add(item);
        }

        return read;
    }

    private static async Task<long> LastEventAsync(TestServer server, string id)
    {
        long last = 0;
        await foreach (var (eventId, kind, data) in server.EventsAsync(id, null, Token))
        {
            last = long.Parse(eventId, System.Globalization.CultureInfo.InvariantCulture);
            if (kind == "step" && data.Contains("namespaces", StringComparison.Ordinal))
            {
                return last;
            }
        }

        return last;
    }
}
