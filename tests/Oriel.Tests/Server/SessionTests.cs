using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Oriel.Desktops.Store;
using Oriel.Server.Auth;
using Oriel.Tests.Fuzzing;

namespace Oriel.Tests.Server;

/// <summary>
/// Who is signed in, and the end of that. The clock stands still unless a test moves it, so nothing ends by being looked up again.
/// </summary>
public sealed class SessionTests
{
    private const string Firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";

    /// <summary>For what must come at once; a busy machine is the measure.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task List_Sessions_TellsWhereFromAndWhichIsOnesOwnAndNoSecret()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var server = await TestServer.StartAsync(clock: clock);
        var first = await SignInAsync(server, Firefox);
        clock.Advance(TimeSpan.FromMinutes(5));
        var second = await SignInAsync(server, "curl/8.5.0\u0001 " + new string('x', 200));
        var listed = await ListAsync(server, first);

        Assert.Equal([false, true], listed.Select(session => session["current"]!.GetValue<bool>()));
        Assert.All(listed, session => Assert.Equal("127.0.0.1", session["address"]!.GetValue<string>()));
        Assert.StartsWith("curl/8.5.0\uFFFD x", listed[0]["browser"]!.GetValue<string>());
        Assert.InRange(listed[0]["browser"]!.GetValue<string>().Length, 1, BrowserName.Longest);
        Assert.Equal("Firefox 143, Linux", listed[1]["browser"]!.GetValue<string>());
        Assert.Equal(TimeSpan.FromMinutes(5), At(listed[0], "createdAt") - At(listed[1], "createdAt"));
        Assert.Equal(At(listed[0], "createdAt"), At(listed[1], "lastUsedAt"));
        Assert.Equal(TimeSpan.FromDays(30), At(listed[1], "expiresAt") - At(listed[1], "createdAt"));

        // By the API token too, whose none of them is.
        var text = await server.Api.GetStringAsync("/api/sessions", Token);
        Assert.DoesNotContain("\"current\":true", text);
        await using var db = new DesktopDbContextFactory(server.Layout.Database).CreateDbContext();
        var hashes = await db.Sessions.Select(session => session.Hash).ToListAsync(Token);
        Assert.Equal(2, hashes.Count);
        Assert.All([first.Secret, first.Cookie.Split('=')[1], second.Secret, .. hashes], secret => Assert.DoesNotContain(secret, text));
    }

    [Theory]
    [InlineData(
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        "Chrome 140, Linux"
    )]
    [InlineData(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
        "Edge 140, Windows"
    )]
    [InlineData(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
        "Safari 18, iOS"
    )]
    [InlineData("Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0", "Firefox 143, Android")]
    [InlineData("Firefox/x", "Firefox/x")]
    [InlineData("", "")]
    public void BrowserName_Header_IsShort(string header, string name) => Assert.Equal(name, BrowserName.Of(header));

    /// <summary>Of a WebSocket, an event stream and viewers by WebRTC.</summary>
    [Theory]
    [InlineData("revoked by the token")]
    [InlineData("revoked by another session")]
    [InlineData("revoked with all others")]
    [InlineData("revoked by itself")]
    [InlineData("signed out")]
    public async Task Session_Ended_EndsWhatItHasOpenAndNothingElse(string how)
    {
        await using var server = await StartReadyAsync();
        var ended = await SignInAsync(server);
        var other = await SignInAsync(server);
        using var streams = await OpenAsync(server, ended);
        using var others = await OpenAsync(server, other);
        var id = (await ListAsync(server, ended)).Single(session => session["current"]!.GetValue<bool>())["id"]!.GetValue<string>();
        using var answer = how switch
        {
            "revoked by the token" => await server.Api.DeleteAsync($"/api/sessions/{id}", Token),
            "revoked by another session" => await SendAsync(server, other, "DELETE", $"/api/sessions/{id}"),
            "revoked with all others" => await SendAsync(server, other, "DELETE", "/api/sessions"),
            "revoked by itself" => await SendAsync(server, ended, "DELETE", $"/api/sessions/{id}"),
            _ => await SendAsync(server, ended, "DELETE", "/api/session"),
        };

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        await streams.HaveEndedAsync();
        await others.LiveOnAsync();
        using var refused = await SendAsync(server, ended, "GET", "/api/session");
        Assert.Equal((HttpStatusCode.Unauthorized, "signed-out"), (refused.StatusCode, await ReasonAsync(refused)));
        using var taken = await SendAsync(server, other, "GET", "/api/session");
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        Assert.Single(await ListAsync(server, other));
    }

    [Theory]
    [InlineData("s-aaaaaaaaaa")]
    [InlineData("' OR 1=1 --")]
    public async Task Revoke_NoSuchSession_Is404(string id)
    {
        await using var server = await TestServer.StartAsync();
        var session = await SignInAsync(server);
        using var answer = await SendAsync(server, session, "DELETE", $"/api/sessions/{Uri.EscapeDataString(id)}");

        Assert.Equal((HttpStatusCode.NotFound, "no-such-session"), (answer.StatusCode, await ReasonAsync(answer)));
        Assert.Single(await ListAsync(server, session));
    }

    [Fact]
    public async Task Session_ThatExpires_EndsWhatItHasOpenAndIsListedNoMore()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var server = await StartReadyAsync(clock);
        var expiring = await SignInAsync(server);
        await using (var db = new DesktopDbContextFactory(server.Layout.Database).CreateDbContext())
        {
            var soon = clock.GetUtcNow().AddSeconds(2).ToUnixTimeMilliseconds();
            await db.Sessions.ExecuteUpdateAsync(set => set.SetProperty(session => session.ExpiresAt, soon), Token);
        }

        var other = await SignInAsync(server);
        using var streams = await OpenAsync(server, expiring);
        using var others = await OpenAsync(server, other);
        Assert.Equal(2, (await ListAsync(server, other)).Count);
        clock.Advance(TimeSpan.FromSeconds(2));

        await streams.HaveEndedAsync();
        await others.LiveOnAsync();
        using var refused = await SendAsync(server, expiring, "GET", "/api/session");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Single(await ListAsync(server, other));
    }

    [Fact]
    public async Task LastUse_OfASession_IsStoredOnceAMinuteAndShownAtOnce()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var server = await TestServer.StartAsync(clock: clock);
        var session = await SignInAsync(server);
        var stored = new List<double>();
        var shown = new List<double>();
        foreach (var pause in (int[])[0, 59, 11, 49])
        {
            clock.Advance(TimeSpan.FromSeconds(pause));
            using var used = await SendAsync(server, session, "GET", "/api/session");
            Assert.Equal(HttpStatusCode.OK, used.StatusCode);
            await using var db = new DesktopDbContextFactory(server.Layout.Database).CreateDbContext();
            var record = await db.Sessions.SingleAsync(Token);
            stored.Add((record.LastUsedAt - record.CreatedAt) / 1000.0);
            var listed = JsonNode.Parse(await server.Api.GetStringAsync("/api/sessions", Token))!["sessions"]![0]!;
            shown.Add((At(listed, "lastUsedAt") - At(listed, "createdAt")).TotalSeconds);
        }

        Assert.Equal([0, 0, 70, 70], stored);
        Assert.Equal([0, 59, 70, 119], shown);
    }

    [Fact]
    public async Task Rotate_Token_EndsAllThatCameByTheOldOne()
    {
        await using var server = await StartReadyAsync();
        var session = await SignInAsync(server);
        var oneTime = await server.Application.NewSignInAsync(Token);
        using var ofSession = await OpenAsync(server, session);
        using var ofToken = await OpenAsync(server, null);
        using var answer = await server.Api.PostAsync("/api/token/rotate", null, Token);
        var token = (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!["token"]!.GetValue<string>();

        Assert.NotEqual(server.Token, token);
        Assert.Equal(token + "\n", await File.ReadAllTextAsync(server.Layout.Token, Token));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(server.Layout.Token));
        Assert.DoesNotContain(token, server.Log.Text);
        using var old = await server.Api.GetAsync("/api/session", Token);
        Assert.Equal((HttpStatusCode.Unauthorized, "token-unknown"), (old.StatusCode, await ReasonAsync(old)));
        using var page = await SendAsync(server, session, "GET", "/api/session");
        Assert.Equal(HttpStatusCode.Unauthorized, page.StatusCode);
        using var index = await SendAsync(server, session, "GET", "/");
        Assert.Equal(HttpStatusCode.Redirect, index.StatusCode);
        foreach (var dead in new[] { server.Token, oneTime })
        {
            using var signIn = await server.Anonymous.PostAsJsonAsync("/api/session", new { token = dead }, Token);
            Assert.Equal(HttpStatusCode.Unauthorized, signIn.StatusCode);
        }

        server.Api.DefaultRequestHeaders.Authorization = new("Bearer", token);
        using var now = await server.Api.GetAsync("/api/session", Token);
        Assert.Equal(HttpStatusCode.OK, now.StatusCode);
        await ofSession.HaveEndedAsync();
        await ofToken.HaveEndedAsync();
        Assert.Empty(JsonNode.Parse(await server.Api.GetStringAsync("/api/sessions", Token))!["sessions"]!.AsArray());

        // The next server goes on with it.
        using var again = await server.Anonymous.PostAsJsonAsync("/api/session", new { token }, Token);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }

    [Fact]
    public async Task Rotate_BySession_Is403AndChangesNothing()
    {
        await using var server = await TestServer.StartAsync();
        var session = await SignInAsync(server);
        using var answer = await SendAsync(server, session, "POST", "/api/token/rotate");

        Assert.Equal((HttpStatusCode.Forbidden, "token-needed"), (answer.StatusCode, await ReasonAsync(answer)));
        Assert.Equal(server.Token + "\n", await File.ReadAllTextAsync(server.Layout.Token, Token));
        Assert.Single(await ListAsync(server, session));
    }

    [Fact]
    public async Task Rotate_ManyAtOnce_GivesOneValidToken()
    {
        await using var server = await TestServer.StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => server.Api.PostAsync("/api/token/rotate", null, Token)));

        var given = Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.All(answers.Where(answer => answer != given), answer => Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode));
        var token = (await given.Content.ReadFromJsonAsync<JsonNode>(Token))!["token"]!.GetValue<string>();
        Assert.Equal(token + "\n", await File.ReadAllTextAsync(server.Layout.Token, Token));
        server.Api.DefaultRequestHeaders.Authorization = new("Bearer", token);
        using var now = await server.Api.GetAsync("/api/session", Token);
        Assert.Equal(HttpStatusCode.OK, now.StatusCode);
    }

    private static async Task<TestServer> StartReadyAsync(FakeTimeProvider? clock = null)
    {
        var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { GuestFor = _ => new PlayedGuest() },
            change: options => options with { Driver = PlayedKeepers.Driver },
            clock: clock ?? new FakeTimeProvider(DateTimeOffset.UtcNow)
        );
        await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height });
        await server.WaitForStateAsync(server.LastId, "ready");
        return server;
    }

    private static async Task<Session> SignInAsync(TestServer server, string userAgent = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/session")
        {
            Content = JsonContent.Create(new { token = server.Token }),
        };
        request.Headers.TryAddWithoutValidation("User-Agent", userAgent);
        using var answer = await server.Anonymous.SendAsync(request, Token);
        return new Session(
            answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0],
            (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!["secret"]!.GetValue<string>()
        );
    }

    /// <param name="session">Null = by the token.</param>
    private static async Task<HttpResponseMessage> SendAsync(
        TestServer server,
        Session? session,
        string method,
        string path,
        HttpContent? content = null
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = content };
        foreach (var (name, value) in Headers(server, session))
        {
            request.Headers.Add(name, value);
        }

        return await server.Anonymous.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
    }

    private static (string Name, string Value)[] Headers(TestServer server, Session? session) =>
        session is null
            ? [("Authorization", "Bearer " + server.Token)]
            : [("Cookie", session.Cookie), ("X-Oriel", session.Secret), ("Origin", server.Url)];

    private static async Task<List<JsonNode>> ListAsync(TestServer server, Session session)
    {
        using var answer = await SendAsync(server, session, "GET", "/api/sessions");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return [.. (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!["sessions"]!.AsArray().Select(session => session!)];
    }

    private static DateTimeOffset At(JsonNode session, string name) => session[name]!.GetValue<DateTimeOffset>();

    private static async Task<string> ReasonAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync<JsonNode>(Token))!["reason"]!.GetValue<string>();

    /// <summary>One of each kind of stream of the desktop that was created last.</summary>
    private static async Task<Streams> OpenAsync(TestServer server, Session? session)
    {
        var desktop = $"/api/desktops/{server.LastId}";
        using var offer = new ByteArrayContent(Fuzzer.Seeds("sdp")[0]);
        offer.Headers.ContentType = new("application/sdp");
        using var offered = await SendAsync(server, session, "POST", $"{desktop}/whep", offer);
        Assert.Equal(HttpStatusCode.Created, offered.StatusCode);
        using var asked = await SendAsync(server, session, "POST", $"{desktop}/webrtc/offer");
        var viewer = (await asked.Content.ReadFromJsonAsync<JsonNode>(Token))!["viewer"]!.GetValue<string>();
        var events = await SendAsync(server, session, "GET", $"{desktop}/events");
        Assert.Equal(HttpStatusCode.OK, events.StatusCode);
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("oriel.v1");
        if (session is not null)
        {
            socket.Options.AddSubProtocol("oriel.session." + session.Secret);
        }

        foreach (var (name, value) in Headers(server, session).Where(header => header.Name != "X-Oriel"))
        {
            socket.Options.SetRequestHeader(name, value);
        }

        await socket.ConnectAsync(new UriBuilder(server.Url) { Scheme = "ws", Path = $"{desktop}/stream" }.Uri, Token);
        return new Streams(server, socket, events, [offered.Headers.Location!.OriginalString, $"{desktop}/whep/{viewer}"]);
    }

    private sealed record Session(string Cookie, string Secret);

    private sealed class Streams(TestServer server, ClientWebSocket socket, HttpResponseMessage events, string[] viewers) : IDisposable
    {
        public void Dispose()
        {
            socket.Dispose();
            events.Dispose();
        }

        public async Task HaveEndedAsync()
        {
            using var limit = new CancellationTokenSource(Deadline);
            Assert.True(await SocketEndsAsync("", limit.Token), "the WebSocket goes on");
            Assert.DoesNotContain("event: end", await EventsAsync("", limit.Token));
            foreach (var viewer in viewers)
            {
                await Eventually.HoldsAsync(async () =>
                    await LookAtAsync(viewer) == HttpStatusCode.NotFound ? null : $"{viewer} is still there"
                );
            }
        }

        public async Task LiveOnAsync()
        {
            using var limit = new CancellationTokenSource(Deadline);
            await socket.SendAsync(
                Encoding.UTF8.GetBytes("""{"c":"control","m":{"t":"ping","id":1}}"""),
                WebSocketMessageType.Text,
                true,
                limit.Token
            );
            Assert.False(await SocketEndsAsync("\"pong\"", limit.Token), "the WebSocket has ended");
            await server.Application.Desktops.List(all: false).Single().PauseAsync(limit.Token);
            Assert.Contains("\"paused\"", await EventsAsync("\"paused\"", limit.Token));
            foreach (var viewer in viewers)
            {
                Assert.Equal(HttpStatusCode.PreconditionRequired, await LookAtAsync(viewer));
            }
        }

        /// <summary>A change that names no version of it changes nothing: 428 where there is a viewer, else 404.</summary>
        private async Task<HttpStatusCode> LookAtAsync(string viewer)
        {
            using var fragment = new StringContent("");
            fragment.Headers.ContentType = new("application/trickle-ice-sdpfrag");
            using var answer = await server.Api.PatchAsync(viewer, fragment, Token);
            return answer.StatusCode;
        }

        /// <summary>Reads until the end, or until a text that has the word.</summary>
        private async Task<bool> SocketEndsAsync(string word, CancellationToken cancellationToken)
        {
            var buffer = new byte[256 * 1024];
            try
            {
                while (await socket.ReceiveAsync(buffer, cancellationToken) is { MessageType: not WebSocketMessageType.Close } read)
                {
                    if (word.Length > 0 && Encoding.UTF8.GetString(buffer, 0, read.Count).Contains(word, StringComparison.Ordinal))
                    {
                        return false;
                    }
                }
            }
            catch (WebSocketException)
            {
                // Cut.
            }
            catch (OperationCanceledException) when (word.Length == 0)
            {
                return false;
            }

            return true;
        }

        private async Task<string> EventsAsync(string word, CancellationToken cancellationToken)
        {
            var text = new StringBuilder();
            var buffer = new byte[4096];
            var stream = await events.Content.ReadAsStreamAsync(cancellationToken);
            try
            {
                while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var read)
                {
                    text.Append(Encoding.UTF8.GetString(buffer, 0, read));
                    if (word.Length > 0 && text.ToString().Contains(word, StringComparison.Ordinal))
                    {
                        break;
                    }
                }
            }
            catch (IOException)
            {
                // Cut.
            }
            catch (OperationCanceledException) when (word.Length == 0)
            {
                Assert.Fail($"the event stream goes on: {text}");
            }

            return text.ToString();
        }
    }
}
