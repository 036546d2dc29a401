using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

public sealed class AccessTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/", 302)]
    [InlineData("GET", "/some/page", 302)]
    [InlineData("GET", "/index.html", 302)]
    [InlineData("GET", "/signin", 200)]
    [InlineData("GET", "/api/session", 401)]
    [InlineData("GET", "/api/desktops", 401)]
    [InlineData("POST", "/api/desktops", 401)]
    [InlineData("DELETE", "/api/desktops/d-aaaaaaaaaa", 401)]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/events", 401)]
    [InlineData("POST", "/api/desktops/d-aaaaaaaaaa/whep", 401)]
    [InlineData("GET", "/api/images", 401)]
    [InlineData("GET", "/api/docs", 401)]
    [InlineData("GET", "/openapi/v1.json", 401)]
    [InlineData("GET", "/health/live", 200)]
    [InlineData("GET", "/health/ready", 200)]
    [InlineData("GET", "/metrics", 200)]
    [InlineData("POST", "/signin", 401)]
    public async Task Anybody_WithoutSignIn_GetsNothingButTheSignInPage(string method, string path, int status)
    {
        await using var server = await TestServer.StartAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await server.Anonymous.SendAsync(request, Token);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Contains("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single());
        if (status == 401)
        {
            Assert.Equal("signed-out", (await response.Content.ReadFromJsonAsync<JsonNode>(Token))!["reason"]!.GetValue<string>());
        }
    }

    [Theory]
    [InlineData("evil.example", 421)]
    [InlineData("127.0.0.1.evil.example", 421)]
    [InlineData("localhost", 200)]
    [InlineData("localhost:1234", 200)]
    [InlineData("desk.example", 200)]
    public async Task Host_ThatIsNotOurs_IsRefused(string name, int status)
    {
        await using var server = await TestServer.StartAsync(change: o => o with { Hosts = ["desk.example"] });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/health/live") { Headers = { Host = name } };
        using var response = await server.Anonymous.SendAsync(request, Token);

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("Bearer wrong", "token-unknown", "not this server's token")]
    [InlineData("Basic d3Jvbmc6d3Jvbmc=", "signed-out", "./oriel token")]
    [InlineData("Bearer", "signed-out", "./oriel token")]
    public async Task Api_WithAWrongToken_IsRefusedAndSaysWhetherItIsAnothers(string authorization, string reason, string detail)
    {
        await using var server = await TestServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/desktops");
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var response = await server.Anonymous.SendAsync(request, Token);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        var problem = (await response.Content.ReadFromJsonAsync<JsonNode>(Token))!;
        Assert.Equal(reason, problem["reason"]!.GetValue<string>());
        Assert.Contains(detail, problem["detail"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    /// <summary>The desktop is not there: 404 is what a caller gets who may ask.</summary>
    [Theory]
    [InlineData(true, 404)]
    [InlineData(false, 401)]
    public async Task WebSocket_TokenAsASubprotocol_CountsAsBearer(bool right, int status)
    {
        await using var server = await TestServer.StartAsync();
        using var socket = new System.Net.WebSockets.ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.AddSubProtocol("oriel.v1");
        socket.Options.AddSubProtocol("oriel.bearer." + (right ? server.Token : "wrong"));
        var address = new UriBuilder(server.Api.BaseAddress!) { Scheme = "ws", Path = "/api/desktops/d-aaaaaaaaaa/stream" }.Uri;
        await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(() => socket.ConnectAsync(address, Token));

        Assert.Equal(status, (int)socket.HttpStatusCode);
    }

    [Fact]
    public async Task SignIn_WithAOneTimeToken_WorksOnceAndSignOutEndsIt()
    {
        await using var server = await TestServer.StartAsync();
        var token = await server.Application.NewSignInAsync(Token);
        using var first = await server.Anonymous.PostAsJsonAsync("/api/session", new { token }, Token);
        using var second = await server.Anonymous.PostAsJsonAsync("/api/session", new { token }, Token);

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, second.StatusCode);
        var header = first.Headers.GetValues("Set-Cookie").Single();
        Assert.Contains("httponly", header, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", header, StringComparison.OrdinalIgnoreCase);
        var cookie = header.Split(';')[0];
        var secret = await SecretAsync(first);

        Assert.Equal(200, await SendAsync(server, "GET", "/api/session", cookie, header: secret));
        Assert.Equal(204, await SendAsync(server, "DELETE", "/api/session", cookie, server.Url, secret));
        Assert.Equal(401, await SendAsync(server, "GET", "/api/session", cookie, header: secret));
    }

    /// <summary>
    /// A cookie goes to every port of a host, so to each program that listens on the browser's own: alone it gets the page and no more
    /// (RFC 6265 section 8.5).
    /// </summary>
    [Theory]
    [InlineData("GET", "/api/desktops", null, "own", 200)]
    [InlineData("GET", "/api/desktops", null, null, 401)]
    [InlineData("GET", "/api/desktops", null, "1", 401)]
    [InlineData("GET", "/api/desktops", null, "other", 401)]
    [InlineData("GET", "/api/events", null, null, 401)]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/screenshot", null, null, 401)]
    [InlineData("GET", "/API/desktops", null, null, 401)]
    [InlineData("HEAD", "/api/desktops", null, null, 401)]
    [InlineData("GET", "/openapi/v1.json", null, null, 200)]
    [InlineData("POST", "/api/desktops", "own", null, 401)]
    [InlineData("POST", "/api/desktops", null, "own", 403)]
    [InlineData("POST", "/api/desktops", "http://evil.example", "own", 403)]
    [InlineData("POST", "/api/desktops", "null", "own", 403)]
    [InlineData("POST", "/api/desktops", "own", "own", 415)]
    public async Task Session_Request_NeedsItsSecretAndChangesItsOrigin(
        string method,
        string path,
        string? origin,
        string? secret,
        int status
    )
    {
        await using var server = await TestServer.StartAsync();
        using var signIn = await server.Anonymous.PostAsJsonAsync("/api/session", new { token = server.Token }, Token);
        using var another = await server.Anonymous.PostAsJsonAsync("/api/session", new { token = server.Token }, Token);
        var cookie = signIn.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        var header = secret switch
        {
            "own" => await SecretAsync(signIn),
            "other" => await SecretAsync(another),
            _ => secret,
        };

        Assert.Equal(status, await SendAsync(server, method, path, cookie, origin == "own" ? server.Url : origin, header));
    }

    /// <summary>The desktop is not there: 404 is what a caller gets who may ask.</summary>
    [Theory]
    [InlineData(true, 404)]
    [InlineData(false, 401)]
    public async Task WebSocket_OfASession_NeedsItsSecretAsASubprotocol(bool right, int status)
    {
        await using var server = await TestServer.StartAsync();
        using var signIn = await server.Anonymous.PostAsJsonAsync("/api/session", new { token = server.Token }, Token);
        using var socket = new System.Net.WebSockets.ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.AddSubProtocol("oriel.v1");
        socket.Options.AddSubProtocol("oriel.session." + (right ? await SecretAsync(signIn) : "wrong"));
        socket.Options.SetRequestHeader("Cookie", signIn.Headers.GetValues("Set-Cookie").Single().Split(';')[0]);
        socket.Options.SetRequestHeader("Origin", server.Url);
        var address = new UriBuilder(server.Api.BaseAddress!) { Scheme = "ws", Path = "/api/desktops/d-aaaaaaaaaa/stream" }.Uri;
        await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(() => socket.ConnectAsync(address, Token));

        Assert.Equal(status, (int)socket.HttpStatusCode);
    }

    [Fact]
    public async Task SignIn_TooManyFailures_AreHeldOff()
    {
        await using var server = await TestServer.StartAsync();
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 12; i++)
        {
            using var response = await server.Anonymous.PostAsJsonAsync("/api/session", new { token = "wrong" }, Token);
            statuses.Add(response.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, statuses[0]);
        Assert.Contains(HttpStatusCode.TooManyRequests, statuses);

        // Who fails on purpose does not lock out the holder of the token behind the same address.
        using var held = await server.Api.GetAsync("/api/desktops", Token);
        Assert.Equal(HttpStatusCode.OK, held.StatusCode);
        using var owner = await server.Anonymous.PostAsJsonAsync(
            "/api/session",
            new { token = await server.Application.NewSignInAsync(Token) },
            Token
        );
        Assert.Equal(HttpStatusCode.OK, owner.StatusCode);
    }

    [Fact]
    public async Task Secrets_AreNeverLogged()
    {
        await using var server = await TestServer.StartAsync(deadlines: TestServer.Short);
        var oneTime = await server.Application.NewSignInAsync(Token);
        using var signIn = await server.Anonymous.PostAsJsonAsync("/api/session", new { token = oneTime }, Token);
        var session = signIn.Headers.GetValues("Set-Cookie").Single().Split(';')[0].Split('=')[1];
        var desktop = await server.CreateAsync(
            new
            {
                env = new Dictionary<string, string> { ["API_KEY"] = "very-secret-value" },
                egress = new
                {
                    mode = "internet",
                    upstream = new
                    {
                        type = "http",
                        host = "proxy.example",
                        port = 3128,
                        username = "u",
                        password = "upstream-password",
                    },
                },
            }
        );
        await server.WaitForStateAsync(desktop["id"]!.GetValue<string>(), "destroyed");

        Assert.DoesNotContain("upstream-password", desktop.ToJsonString());
        foreach (
            var secret in new[] { server.Token, oneTime, session, await SecretAsync(signIn), "very-secret-value", "upstream-password" }
        )
        {
            Assert.DoesNotContain(secret, server.Log.Text);
        }

        // Nor does the database remember what a desktop that is gone needed. (The log of changes is written back first, once nobody reads
        // it.)
        await Eventually.HoldsAsync(async () =>
        {
            await using (var db = new DesktopDbContextFactory(server.Layout.Database).CreateDbContext())
            {
                await db.Database.ExecuteSqlRawAsync("PRAGMA wal_checkpoint(TRUNCATE)", Token);
            }

            var kept = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(server.Layout.Database, Token));
            return kept.Contains("upstream-password", StringComparison.Ordinal) ? "the password is in the database" : null;
        });
    }

    [Fact]
    public async Task TokenFile_BelongsToItsOwnerAlone()
    {
        await using var server = await TestServer.StartAsync();

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(server.Layout.Token));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(server.Layout.Database));
    }

    private static async Task<string> SecretAsync(HttpResponseMessage signIn) =>
        (await signIn.Content.ReadFromJsonAsync<JsonNode>(Token))!["secret"]!.GetValue<string>();

    private static async Task<int> SendAsync(
        TestServer server,
        string method,
        string path,
        string cookie,
        string? origin = null,
        string? header = null
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Add("Cookie", cookie);
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        if (header is not null)
        {
            request.Headers.Add("X-Oriel", header);
        }

        using var response = await server.Anonymous.SendAsync(request, Token);
        return (int)response.StatusCode;
    }
}
