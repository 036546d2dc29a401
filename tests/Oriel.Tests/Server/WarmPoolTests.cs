using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Oriel.Protocol.Layout;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Server;

/// <summary>Desktops that wait, booted, over guests that are played; what a claim costs in a real one is for the desktop ring.</summary>
public sealed class WarmPoolTests
{
    private static readonly object Small = new { width = PlayedGuest.Width, height = PlayedGuest.Height };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_OneWaits_IsThatOneWithTheAskedNameAndItsOwnSteps()
    {
        var guests = new Guests();
        await using var server = await StartAsync(guests, warm: 1);
        await IsWaitingAsync(server, 1);
        Assert.Empty((await server.Api.GetFromJsonAsync<JsonNode>("/api/desktops", Token))!["desktops"]!.AsArray());

        var desktop = await server.CreateAsync(
            new
            {
                name = "Mine",
                width = PlayedGuest.Width,
                height = PlayedGuest.Height,
                env = new Dictionary<string, string> { ["ASKED"] = "yes" },
                ttl = 600,
            }
        );
        var id = desktop["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        var ready = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;

        Assert.Equal(("Mine", "mine"), (ready["name"]!.GetValue<string>(), ready["hostname"]!.GetValue<string>()));
        Assert.NotNull(ready["expiresAt"]);
        var steps = ready["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>()).ToList();
        Assert.Equal("claim", steps[0]);
        Assert.DoesNotContain("keeper", steps);
        Assert.Contains("egress-canary", steps);
        var attestation = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}/attestation", Token))!;
        Assert.Contains("\"ASKED\"", attestation["environment"]!.ToJsonString());
        await IsWaitingAsync(server, 1);
        Assert.Equal(2, guests.Made);
    }

    [Fact]
    public async Task Create_FiftyAtOnce_NoneIsHandedOutTwice()
    {
        var guests = new Guests();
        await using var server = await StartAsync(guests, warm: 20, maxDesktops: 60);
        await IsWaitingAsync(server, 20);

        var made = await Task.WhenAll(
            Enumerable
                .Range(0, 50)
                .Select(i =>
                    server.CreateAsync(
                        new
                        {
                            name = $"n{i}",
                            width = PlayedGuest.Width,
                            height = PlayedGuest.Height,
                        }
                    )
                )
        );
        var ids = made.Select(desktop => desktop["id"]!.GetValue<string>()).ToList();
        Assert.Equal(50, ids.Distinct().Count());
        await Task.WhenAll(ids.Select(id => server.WaitForStateAsync(id, "ready")));
        foreach (var (id, i) in ids.Select((id, i) => (id, i)))
        {
            Assert.Equal($"n{i}", (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["name"]!.GetValue<string>());
        }

        var pool = await PoolAsync(server);
        Assert.InRange(pool["claimed"]!.GetValue<int>(), 20, 50);
        Assert.Equal(50, pool["claimed"]!.GetValue<int>() + pool["missed"]!.GetValue<int>());
    }

    [Fact]
    public async Task Pool_ImageOfAnotherDigest_IsDrainedAndNeverHandedOut()
    {
        await using var server = await StartAsync(new Guests(), warm: 2);
        await IsWaitingAsync(server, 2);
        var manifest = TestServer.ImageIn(server.Data).Manifest;
        var other = JsonNode.Parse(await File.ReadAllTextAsync(manifest, Token))!;
        other["digest"] = "sha256:" + new string('b', 64);
        other["createdAt"] = other["createdAt"]!.GetValue<DateTimeOffset>().AddDays(1);
        var folder = Directory
            .CreateDirectory(Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(manifest))!, new string('b', 64)))
            .FullName;
        Directory.CreateDirectory(new ImageDirectory(folder).Tree);
        await File.WriteAllTextAsync(new ImageDirectory(folder).Manifest, other.ToJsonString(), Token);

        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        var desktop = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;
        Assert.Equal(other["digest"]!.GetValue<string>(), desktop["image"]!["digest"]!.GetValue<string>());
        Assert.Equal((0, 1), ((await PoolAsync(server))["claimed"]!.GetValue<int>(), (await PoolAsync(server))["missed"]!.GetValue<int>()));
        await IsWaitingAsync(server, 2);
        await Eventually.HoldsAsync(() => Task.FromResult(server.Keepers.Running == 3 ? null : $"{server.Keepers.Running} keepers run"));
    }

    [Fact]
    public async Task Pool_OneDiesWhileItWaits_IsReplacedAndNotHandedOut()
    {
        var guests = new Guests();
        await using var server = await StartAsync(guests, warm: 1);
        await IsWaitingAsync(server, 1);
        guests.Last.EndSession();
        await Eventually.HoldsAsync(() => Task.FromResult(guests.Made >= 2 ? null : "no other one is made"));
        await IsWaitingAsync(server, 1);
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
    }

    [Fact]
    public async Task Pool_ServerFull_GivesItsPlaceToWhoAsks()
    {
        await using var server = await StartAsync(new Guests(), warm: 3, maxDesktops: 3);
        await IsWaitingAsync(server, 3);
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            // Of another template: none waits for it.
            ids.Add(
                (
                    await server.CreateAsync(
                        new
                        {
                            template = "other",
                            width = PlayedGuest.Width,
                            height = PlayedGuest.Height,
                        }
                    )
                )["id"]!.GetValue<string>()
            );
            await server.WaitForStateAsync(ids[^1], "ready");
        }

        using var refused = await server.Api.PostAsJsonAsync("/api/desktops", Small, Token);
        Assert.Equal(429, (int)refused.StatusCode);
        await IsWaitingAsync(server, 0);
    }

    [Fact]
    public async Task Server_Stops_LeavesNoneThatWaits()
    {
        var data = Directory.CreateTempSubdirectory("oriel-pool-").FullName;
        try
        {
            var guests = new Guests();
            await using (var server = await StartAsync(guests, warm: 2, data: data))
            {
                await IsWaitingAsync(server, 2);
                Assert.Equal(2, Directory.GetDirectories(new DataLayout(data).Desktops).Length);
            }

            Assert.Empty(Directory.GetDirectories(new DataLayout(data).Desktops));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Pool_GuestThatNeverGetsThere_IsToldWithTheReasonAndTriedAgainLater()
    {
        await using var server = await StartAsync(new Guests { Broken = true }, warm: 1);
        await Eventually.HoldsAsync(async () =>
            (await PoolAsync(server))["problem"] is { } problem && problem.GetValue<string>().Contains("session", StringComparison.Ordinal)
                ? null
                : (await PoolAsync(server)).ToJsonString()
        );
        var pool = await PoolAsync(server);
        Assert.Equal((0, 1), (pool["waiting"]!.GetValue<int>(), pool["wanted"]!.GetValue<int>()));
    }

    private static async Task<TestServer> StartAsync(Guests guests, int warm, int maxDesktops = 8, string? data = null)
    {
        var directory = data ?? Directory.CreateTempSubdirectory("oriel-server-").FullName;
        await File.WriteAllTextAsync(
            new DataLayout(directory).Templates,
            JsonSerializer.Serialize(
                new object[]
                {
                    new
                    {
                        name = "default",
                        warm,
                        width = PlayedGuest.Width,
                        height = PlayedGuest.Height,
                    },
                    new { name = "other" },
                }
            ),
            Token
        );
        return await TestServer.StartAsync(
            directory,
            new PlayedKeepers { Guest = guests.Make },
            maxDesktops: maxDesktops,
            ownsData: data is null
        );
    }

    private static async Task<JsonNode> PoolAsync(TestServer server) =>
        (await server.Api.GetFromJsonAsync<JsonNode>("/api/pool", Token))!["templates"]!.AsArray().Single()!;

    private static Task IsWaitingAsync(TestServer server, int count) =>
        Eventually.HoldsAsync(async () =>
            await PoolAsync(server) is var pool && pool["waiting"]!.GetValue<int>() == count && pool["booting"]!.GetValue<int>() == 0
                ? null
                : pool.ToJsonString()
        );

    private sealed class Guests
    {
        private readonly ConcurrentQueue<PlayedGuest> _made = new();

        /// <summary>Whether their session ends before it begins.</summary>
        public bool Broken { get; init; }

        public int Made => _made.Count;

        public PlayedGuest Last => _made.Last();

        public PlayedGuest Make()
        {
            var guest = new PlayedGuest();
            if (Broken)
            {
                guest.EndSession();
            }

            _made.Enqueue(guest);
            return guest;
        }
    }
}
