using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Oriel.Agents;
using Oriel.Desktops.Node;
using Oriel.Egress.Policy;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Tests.Egress;

namespace Oriel.Tests.Server;

/// <summary>Desktops up to ready and beyond, over a guest that is played: what a real one cannot be made to do at will.</summary>
public sealed class ReadyDesktopTests
{
    private static readonly object Small = new { width = PlayedGuest.Width, height = PlayedGuest.Height };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_GuestThatAnswersRightly_Is201WithALocationThatAnswersAndBecomesReady()
    {
        await using var server = await TestServer.StartAsync(keepers: new PlayedKeepers { Guest = () => new PlayedGuest() });
        using var response = await server.Api.PostAsJsonAsync("/api/desktops", Small, Token);
        var id = (await response.Content.ReadFromJsonAsync<JsonNode>(Token))!["id"]!.GetValue<string>();

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal($"/api/desktops/{id}", response.Headers.Location?.OriginalString);
        var there = await server.Api.GetFromJsonAsync<JsonNode>(response.Headers.Location, Token);
        Assert.Equal(id, there!["id"]!.GetValue<string>());
        await server.WaitForStateAsync(id, "ready");
    }

    [Theory]
    [InlineData(null, "unknown")]
    [InlineData("right", "reachable")]
    [InlineData("wrong", "unreachable")]
    public async Task Attestation_WhateverTheInternetIs_IsReadyAndShowsItApart(string? password, string internet)
    {
        await using var upstream = new UpstreamProxyServer(UpstreamType.Http, "user", "right");
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => new PlayedGuest() },
            change: options => options with { UpstreamAllow = [new DnsEndPoint("127.0.0.1", upstream.Port)] }
        );
        var id = (
            await server.CreateAsync(
                new
                {
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                    egress = new
                    {
                        mode = "internet",
                        upstream = new
                        {
                            type = "http",
                            host = "127.0.0.1",
                            port = upstream.Port,
                            username = "user",
                            password = password ?? "none",
                        },
                    },
                }
            )
        )["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        if (password is not null)
        {
            await server.ConnectThroughProxyAsync(id, "far.example:443");
        }

        var attestation = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}/attestation", Token))!;
        Assert.Equal(200, attestation["canary"]!["status"]!.GetValue<int>());
        Assert.Equal(internet, attestation["internet"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("content", "files-mismatch", "content differs")]
    [InlineData("mode", "files-mismatch", "mode is 0666")]
    [InlineData("owner", "files-mismatch", "owner is 0:0")]
    [InlineData("silent", "files-mismatch", "said nothing of it")]
    [InlineData("unreadable", "files-mismatch", "it is a symbolic link")]
    [InlineData("env-value", "environment-mismatch", "another value as session sees it")]
    [InlineData("env-missing", "environment-mismatch", "not set as login sees it")]
    [InlineData("proxy", "environment-mismatch", "HTTPS_PROXY")]
    [InlineData("hostname", "environment-mismatch", "host name is 'other'")]
    [InlineData("canary", "canary-failed", "did not come back by this desktop's own egress")]
    public async Task Create_GuestThatAttestsOtherwise_IsNeverReadyAndSaysWhy(string fault, string code, string message)
    {
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => new PlayedGuest { Attesting = reply => Spoil(reply, fault) } }
        );
        var id = (
            await server.CreateAsync(
                new
                {
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                    files = new[] { new { path = "/home/user/asked", content = Convert.ToBase64String("as asked"u8) } },
                    env = new Dictionary<string, string> { ["ASKED"] = "a-secret-value" },
                }
            )
        )["id"]!.GetValue<string>();
        var states = new List<string>();
        var reason = new JsonObject();
        await foreach (var (_, kind, data) in server.EventsAsync(id, null, Token))
        {
            if (kind == "state")
            {
                var state = JsonNode.Parse(data)!;
                states.Add(state["state"]!.GetValue<string>());
                reason = state["reason"]?.AsObject() ?? reason;
            }
        }

        Assert.Equal(["creating", "booting", "configuring", "failed", "destroyed"], states);
        Assert.Equal(code, reason["code"]!.GetValue<string>());
        Assert.Contains(message, reason["message"]!.GetValue<string>());
        Assert.DoesNotContain("a-secret-value", reason.ToJsonString());
        using var attestation = await server.Api.GetAsync($"/api/desktops/{id}/attestation", Token);
        Assert.False(attestation.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Session_ThatEndsWhileReady_FailsTheDesktopWithTheReason()
    {
        var guest = new PlayedGuest();
        await using var server = await TestServer.StartAsync(keepers: new PlayedKeepers { Guest = () => guest });
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        guest.EndSession();
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;

        Assert.Equal(("session-died", "session"), (reason["code"]!.GetValue<string>(), reason["step"]!.GetValue<string>()));
        Assert.Contains("X server", reason["message"]!.GetValue<string>());
        await server.WaitForAsync(id, "end", _ => true);
        Assert.Equal(0, server.Keepers.Running);
    }

    /// <summary>Whatever noticed it: nothing more is asked of such an agent, by the next server neither.</summary>
    [Fact]
    public async Task Agent_ThatSaysWhatNoneSays_FailsTheDesktopForGood()
    {
        var data = Directory.CreateTempSubdirectory("oriel-untrusted-").FullName;
        var guest = new PlayedGuest();
        await using var keepers = new PlayedKeepers { Guest = () => guest = new PlayedGuest() };
        try
        {
            string id;
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
                await server.WaitForStateAsync(id, "ready");
                guest.Tell(new GuestStep { Name = "session", Detail = new string('x', 70_000) });
                AssertUntrusted((await server.WaitForStateAsync(id, "failed"))["reason"]!);
                await server.WaitForStateAsync(id, "destroyed");
                using var file = await server.Api.GetAsync($"/api/desktops/{id}/files?path=/a", Token);
                Assert.Equal(HttpStatusCode.Gone, file.StatusCode);
                await server.WaitForStateAsync((await server.CreateAsync(Small))["id"]!.GetValue<string>(), "ready");
            }

            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                var desktop = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;
                Assert.Equal("destroyed", desktop["state"]!.GetValue<string>());
                AssertUntrusted(desktop["reason"]!);
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }

        static void AssertUntrusted(JsonNode reason)
        {
            Assert.Equal("agent-untrusted", reason["code"]!.GetValue<string>());
            Assert.Contains("65536 at most), in WatchSteps", reason["message"]!.GetValue<string>());
        }
    }

    /// <summary>An agent that was replaced while no server was there.</summary>
    [Fact]
    public async Task Agent_ThatSaysWhatNoneSaysToTheNextServer_IsNotAdopted() =>
        await WithNextServerAsync(
            (_, _, guest) =>
            {
                guest.Tell(new GuestStep { Name = "session", Detail = new string('x', 70_000) });
                return Task.CompletedTask;
            },
            async (server, _, id) =>
            {
                Assert.Equal("agent-untrusted", (await server.WaitForStateAsync(id, "failed"))["reason"]!["code"]!.GetValue<string>());
                await server.WaitForStateAsync(id, "destroyed");
            }
        );

    [Fact]
    public async Task Agent_ThatDoesNotAnswerARequest_IsAnErrorInTimeAndTheDesktopLives()
    {
        var guest = new PlayedGuest
        {
            Calling = (called, context) =>
                called is "Screenshot" or "StatFile" or "Exec"
                    ? Task.Delay(Timeout.Infinite, context.CancellationToken)
                    : Task.CompletedTask,
        };
        var patience = TimeSpan.FromSeconds(5);
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => guest },
            deadlines: new DesktopDeadlines
            {
                Patience = new AgentPatience { Answer = patience, Exit = patience },
            }
        );
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        foreach (
            var answer in await Task.WhenAll(
                server.Api.GetAsync($"/api/desktops/{id}/screenshot", Token),
                server.Api.GetAsync($"/api/desktops/{id}/files?path=/a", Token),
                server.Api.PostAsJsonAsync($"/api/desktops/{id}/exec", new { command = "true", timeout = 0.01 }, Token)
            )
        )
        {
            var problem = (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!;
            Assert.Equal((HttpStatusCode.BadGateway, "guest-error"), (answer.StatusCode, problem["reason"]!.GetValue<string>()));
            Assert.Contains("in time", problem["detail"]!.GetValue<string>());
            answer.Dispose();
        }

        Assert.Equal("ready", (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Session_ThatEndsAfterTheNextServerAdoptedIt_FailsTheDesktopToo() =>
        await WithNextServerAsync(
            (_, _, _) => Task.CompletedTask,
            async (server, guest, id) =>
            {
                await server.WaitForAsync(
                    id,
                    "step",
                    e => e["name"]!.GetValue<string>() == "adopt" && e["state"]!.GetValue<string>() == "done"
                );
                guest.EndSession();
                Assert.Equal("session-died", (await server.WaitForStateAsync(id, "failed"))["reason"]!["code"]!.GetValue<string>());
                await server.WaitForAsync(id, "end", _ => true);
            }
        );

    /// <summary>Its words would not be understood: it is ended at once, and the reason says why.</summary>
    [Fact]
    public async Task Keeper_OfAnotherVersion_IsNotAdopted() =>
        await WithNextServerAsync(
            async (data, id, _) =>
            {
                var path = new DataLayout(data).BundleOf(id).Identity;
                var identity = JsonSerializer.Deserialize(
                    await File.ReadAllBytesAsync(path, Token),
                    KeeperJsonContext.Default.KeeperIdentity
                )!;
                await File.WriteAllBytesAsync(
                    path,
                    JsonSerializer.SerializeToUtf8Bytes(identity with { ProtocolVersion = 1 }, KeeperJsonContext.Default.KeeperIdentity),
                    Token
                );
            },
            async (server, _, id) =>
            {
                var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;
                Assert.Equal("server-restarted", reason["code"]!.GetValue<string>());
                Assert.Contains("made by a version of Oriel", reason["message"]!.GetValue<string>());
                await server.WaitForStateAsync(id, "destroyed");
                Assert.Equal(0, server.Keepers.Running);
            }
        );

    /// <summary>A desktop that is ready when its server ends, and the next server on the same data.</summary>
    /// <param name="between">Gets the data directory, the desktop's id and its guest while there is no server.</param>
    private static async Task WithNextServerAsync(
        Func<string, string, PlayedGuest, Task> between,
        Func<TestServer, PlayedGuest, string, Task> next
    )
    {
        var data = Directory.CreateTempSubdirectory("oriel-adopt-").FullName;
        var guest = new PlayedGuest();
        await using var keepers = new PlayedKeepers { Guest = () => guest };
        try
        {
            string id;
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
                await server.WaitForStateAsync(id, "ready");
            }

            await between(data, id, guest);
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                await next(server, guest, id);
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Agent_ThatAnswersNoMore_FailsTheDesktopAfterThePatience()
    {
        var guest = new PlayedGuest();
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => guest },
            deadlines: new DesktopDeadlines { Adopt = TimeSpan.FromSeconds(1) }
        );
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        await guest.DisposeAsync();

        Assert.Equal("agent-unreachable", (await server.WaitForStateAsync(id, "failed"))["reason"]!["code"]!.GetValue<string>());
    }

    [Fact]
    public async Task IdleTimeout_NobodyUsesIt_DestroysAsIdle()
    {
        await using var server = await TestServer.StartAsync(keepers: new PlayedKeepers { Guest = () => new PlayedGuest() });
        var id = (
            await server.CreateAsync(
                new
                {
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                    idleTimeout = 1,
                }
            )
        )["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");

        Assert.Equal("idle", (await server.WaitForStateAsync(id, "destroying"))["reason"]!["code"]!.GetValue<string>());
        await server.WaitForStateAsync(id, "destroyed");
    }

    [Theory]
    [InlineData("viewer")]
    [InlineData("offer")]
    [InlineData("file")]
    public async Task IdlePause_NobodyUsesIt_IsPausedUntilTheNextUse(string use)
    {
        await using var server = await TestServer.StartAsync(keepers: new PlayedKeepers { Guest = () => new PlayedGuest() });
        var id = (
            await server.CreateAsync(
                new
                {
                    width = PlayedGuest.Width,
                    height = PlayedGuest.Height,
                    idlePause = 1,
                }
            )
        )["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "paused");

        // Whoever only looks at the list wakes nobody.
        using var look = await server.Api.GetAsync($"/api/desktops/{id}/screenshot", Token);
        Assert.Equal(HttpStatusCode.Conflict, look.StatusCode);
        using var body = new StringContent(Offer, Encoding.UTF8, "application/sdp");
        using var response = use switch
        {
            "viewer" => await server.Api.PostAsync($"/api/desktops/{id}/whep", body, Token),
            "offer" => await server.Api.PostAsync($"/api/desktops/{id}/webrtc/offer", null, Token),
            _ => await server.Api.GetAsync($"/api/desktops/{id}/files?path=/etc/hostname", Token),
        };
        Assert.NotEqual(HttpStatusCode.Conflict, response.StatusCode);
    }

    [Fact]
    public async Task Pause_SomebodyAskedForIt_IsWokenByAViewerAndNotByARequest()
    {
        await using var server = await TestServer.StartAsync(keepers: new PlayedKeepers { Guest = () => new PlayedGuest() });
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        using var paused = await server.Api.PostAsync($"/api/desktops/{id}/pause", null, Token);
        Assert.Equal(HttpStatusCode.OK, paused.StatusCode);
        using var file = await server.Api.GetAsync($"/api/desktops/{id}/files?path=/etc/hostname", Token);
        Assert.Equal(
            (HttpStatusCode.Conflict, "paused"),
            (file.StatusCode, (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["state"]!.GetValue<string>())
        );

        using var offer = await server.Api.PostAsync($"/api/desktops/{id}/webrtc/offer", null, Token);
        Assert.Equal(HttpStatusCode.OK, offer.StatusCode);
        Assert.Equal("ready", (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task PublicAddresses_OfBothFamilies_AreWhatTheAnswersCandidatesName()
    {
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => new PlayedGuest() },
            change: o => o with { PublicAddresses = [IPAddress.Parse("203.0.113.9"), IPAddress.Parse("2001:db8::9")] }
        );
        var id = (await server.CreateAsync(Small))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        using var offer = new StringContent(Offer, Encoding.UTF8, "application/sdp");
        using var response = await server.Api.PostAsync($"/api/desktops/{id}/whep", offer, Token);
        var answer = await response.Content.ReadAsStringAsync(Token);

        Assert.True(response.StatusCode == HttpStatusCode.Created, answer);
        var candidates = answer
            .Split("\r\n")
            .Where(line => line.StartsWith("a=candidate:", StringComparison.Ordinal))
            .Select(line => line.Split(' '))
            .ToList();
        Assert.Equal(
            ["tcp 2001:db8::9", "tcp 203.0.113.9", "udp 2001:db8::9", "udp 203.0.113.9"],
            candidates.Select(c => $"{c[2].ToLowerInvariant()} {c[4]}").Distinct().Order(StringComparer.Ordinal)
        );
    }

    private static void Spoil(AttestReply reply, string fault)
    {
        var file = reply.Files.FirstOrDefault();
        switch (fault)
        {
            case "content":
                file!.Sha256 = ByteString.CopyFrom(new byte[32]);
                break;
            case "mode":
                file!.Mode = 0x1B6;
                break;
            case "owner":
                (file!.Uid, file.Gid) = (0, 0);
                break;
            case "silent":
                reply.Files.Clear();
                break;
            case "unreadable":
                file!.Error = "it is a symbolic link";
                break;
            case "env-value":
                reply.Env.Single(e => e.Name == "ASKED").SeenBy["session"] = "other";
                break;
            case "env-missing":
                reply.Env.Single(e => e.Name == "ASKED").SeenBy.Remove("login");
                break;
            case "proxy":
                reply.Env.Single(e => e.Name == "HTTPS_PROXY").SeenBy["exec"] = "http://elsewhere:1";
                break;
            case "hostname":
                reply.Hostname = "other";
                break;
            case "canary":
                reply.CanaryBody = new string('0', 64);
                break;
        }
    }

    /// <summary>What a receiver of one video offers at the least.</summary>
    private static readonly string Offer = string.Join(
        "\r\n",
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=mid:0",
        "a=recvonly",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        "a=setup:actpass",
        "a=fingerprint:sha-256 " + string.Join(':', Enumerable.Repeat("AB", 32)),
        "a=rtpmap:96 VP8/90000",
        ""
    );
}
