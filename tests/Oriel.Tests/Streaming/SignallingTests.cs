using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Settings;

namespace Oriel.Tests.Streaming;

public sealed class SignallingTests(BrowserFixture browser) : IClassFixture<BrowserFixture>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whep_Offer_Gives201WithLocationAndETagThenPatchAndDelete()
    {
        await using var server = await StreamingServer.StartAsync();
        var offer = await OfferAsync(server);
        using var created = await PostAsync(server, offer);
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal("application/sdp", created.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith($"{server.DesktopPath}/whep/", created.Headers.Location?.OriginalString, StringComparison.Ordinal);
        Assert.NotNull(created.Headers.ETag);
        var answer = await created.Content.ReadAsStringAsync(Stop);
        Assert.Contains("a=ice-lite", answer, StringComparison.Ordinal);
        Assert.Contains("a=candidate:", answer, StringComparison.Ordinal);
        Assert.Contains("m=application", answer, StringComparison.Ordinal);

        var viewer = created.Headers.Location!.OriginalString;
        var ufrag = Line(offer, "a=ice-ufrag:");
        var password = Line(offer, "a=ice-pwd:");
        var trickle =
            $"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 127.0.0.1 50000 typ host\r\na=end-of-candidates\r\n";
        foreach (var tag in new[] { created.Headers.ETag!.Tag, $"\"x\", {created.Headers.ETag.Tag}" })
        {
            using var trickled = await PatchAsync(server, viewer, trickle, tag);
            Assert.Equal(HttpStatusCode.NoContent, trickled.StatusCode);
            Assert.Null(trickled.Headers.ETag);
        }

        foreach (var tag in new[] { "\"x\"", $"W/{created.Headers.ETag.Tag}", "x" })
        {
            await ProblemAsync(await PatchAsync(server, viewer, trickle, tag), HttpStatusCode.PreconditionFailed, "stale-etag");
        }

        await ProblemAsync(await PatchAsync(server, viewer, trickle, null), HttpStatusCode.PreconditionRequired, "precondition-required");

        var restart = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        using var restarted = await PatchAsync(server, viewer, restart, "*");
        Assert.Equal(HttpStatusCode.OK, restarted.StatusCode);
        Assert.Equal("application/trickle-ice-sdpfrag", restarted.Content.Headers.ContentType?.MediaType);
        Assert.Contains("a=ice-ufrag:", await restarted.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        Assert.NotEqual(created.Headers.ETag, restarted.Headers.ETag);
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await PatchAsync(server, viewer, trickle, created.Headers.ETag.Tag)).StatusCode);

        Assert.Equal(HttpStatusCode.OK, (await server.Http.DeleteAsync(viewer, Stop)).StatusCode);
        await ProblemAsync(await server.Http.DeleteAsync(viewer, Stop), HttpStatusCode.NotFound, "no-such-viewer");
        await ProblemAsync(await PatchAsync(server, viewer, restart, null), HttpStatusCode.NotFound, "no-such-viewer");
    }

    [Theory]
    [InlineData(DesktopAvailability.NotReady, 409, "not-ready")]
    [InlineData(DesktopAvailability.Gone, 410, "desktop-gone")]
    [InlineData(DesktopAvailability.Unknown, 404, "no-such-desktop")]
    public async Task Whep_DesktopNotThere_GivesItsReason(DesktopAvailability availability, int status, string reason)
    {
        await using var server = await StreamingServer.StartAsync();
        server.Agent.Availability = availability;
        await ProblemAsync(await PostAsync(server, "v=0"), (HttpStatusCode)status, reason);
        await ProblemAsync(
            await server.Http.PostAsync($"{server.DesktopPath}/webrtc/offer", Json("{}"), Stop),
            (HttpStatusCode)status,
            reason
        );
        await ProblemAsync(await server.Http.GetAsync($"{server.DesktopPath}/stream", Stop), (HttpStatusCode)status, reason);
    }

    [Fact]
    public async Task Whep_BadRequests_GiveTheirReasons()
    {
        await using var server = await StreamingServer.StartAsync(options => options with { MaxViewersPerDesktop = 1 });
        await ProblemAsync(await PostAsync(server, ""), HttpStatusCode.UnprocessableEntity, "bad-sdp");
        await ProblemAsync(await PostAsync(server, "hello"), HttpStatusCode.UnprocessableEntity, "bad-sdp");
        await ProblemAsync(await PostAsync(server, new string('v', 100_000)), HttpStatusCode.RequestEntityTooLarge, "too-large");
        await ProblemAsync(
            await server.Http.PostAsync($"{server.DesktopPath}/whep", Json("{}"), Stop),
            HttpStatusCode.UnsupportedMediaType,
            "unsupported-media-type"
        );
        using var sdp = new StringContent("v=0", Encoding.UTF8, "application/sdp");
        await ProblemAsync(
            await server.Http.PostAsync("/api/desktops/d-nonsense/whep", sdp, Stop),
            HttpStatusCode.NotFound,
            "no-such-desktop"
        );
        var answers = $"{server.DesktopPath}/webrtc/answer";
        await ProblemAsync(await server.Http.PostAsync(answers, Json("{}"), Stop), HttpStatusCode.BadRequest, "bad-request");
        await ProblemAsync(await server.Http.PostAsync(answers, Json("[1"), Stop), HttpStatusCode.BadRequest, "bad-request");
        await ProblemAsync(
            await server.Http.PostAsync(answers, Json("""{"offer":{"sdp":"x","type":"answer"}}"""), Stop),
            HttpStatusCode.BadRequest,
            "bad-request"
        );
        await ProblemAsync(
            await server.Http.PostAsync(answers, Json("""{"offer":{"sdp":"x","type":"offer"}}"""), Stop),
            HttpStatusCode.UnprocessableEntity,
            "bad-sdp"
        );
        await ProblemAsync(
            await server.Http.PostAsync(answers, Json("""{"viewer":"x","answer":{"sdp":"x","type":"answer"}}"""), Stop),
            HttpStatusCode.NotFound,
            "no-such-viewer"
        );
        using var viewer = await SocketPage.ConnectAsync(server);
        await ProblemAsync(await PostAsync(server, "v=0"), HttpStatusCode.ServiceUnavailable, "too-many-viewers");
    }

    [Fact]
    public async Task Whep_OffersWhosePeersNeverConnect_KeepNobodyOut()
    {
        await using var server = await StreamingServer.StartAsync(options => options with { MaxViewersPerDesktop = 3, MaxViewers = 3 });
        using var viewer = await SocketPage.ConnectAsync(server);
        List<string> given = [];
        var offer = await OfferAsync(server);
        for (var i = 0; i < 20; i++)
        {
            using var created = await PostAsync(server, offer);
            Assert.Equal(HttpStatusCode.Created, created.StatusCode);
            given.Add(created.Headers.Location!.OriginalString);
        }

        // The bound holds: the oldest gave way, the newest two and the viewer stay.
        var alive = new List<bool>();
        foreach (var address in given)
        {
            using var deleted = await server.Http.DeleteAsync(address, Stop);
            alive.Add(deleted.IsSuccessStatusCode);
        }

        Assert.Equal([.. Enumerable.Repeat(false, 18), true, true], alive);
        using var second = await SocketPage.ConnectAsync(server);
        using var third = await SocketPage.ConnectAsync(server);
        await ProblemAsync(await PostAsync(server, offer), HttpStatusCode.ServiceUnavailable, "too-many-viewers");
    }

    [Fact]
    public async Task Patch_OfAViewerThatEndsMeanwhile_FindsNone()
    {
        await using var server = await StreamingServer.StartAsync();
        using var created = await PostAsync(server, WhepClient.Offer);
        var viewer = created.Headers.Location!.OriginalString.Split('/')[^1];
        var patched = server.Streaming.PatchIce(
            server.Agent.Desktop,
            viewer,
            "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
            _ => server.Streaming.EndAsync(server.Agent.Desktop, viewer).Wait(TimeSpan.FromSeconds(30), Stop)
        );
        Assert.Equal(StreamingError.NoSuchViewer, patched.Error);
    }

    [Fact]
    public async Task Json_BothShapes_AreAsDocumented()
    {
        await using var server = await StreamingServer.StartAsync();
        using var offered = await server.Http.PostAsync($"{server.DesktopPath}/webrtc/offer", Json("{}"), Stop);
        var offer = JsonDocument.Parse(await offered.Content.ReadAsStringAsync(Stop)).RootElement;
        Assert.Equal(["viewer", "offer", "candidates"], offer.EnumerateObject().Select(property => property.Name));
        Assert.Equal(["sdp", "type"], offer.GetProperty("offer").EnumerateObject().Select(property => property.Name));
        Assert.Equal("offer", offer.GetProperty("offer").GetProperty("type").GetString());
        AssertCandidates(offer.GetProperty("candidates"));

        var body = JsonSerializer.Serialize(new { offer = new { sdp = await OfferAsync(server), type = "offer" } });
        using var answered = await server.Http.PostAsync($"{server.DesktopPath}/webrtc/answer", Json(body), Stop);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        var answer = JsonDocument.Parse(await answered.Content.ReadAsStringAsync(Stop)).RootElement;
        Assert.Equal(["viewer", "answer", "candidates"], answer.EnumerateObject().Select(property => property.Name));
        Assert.Equal("answer", answer.GetProperty("answer").GetProperty("type").GetString());
        AssertCandidates(answer.GetProperty("candidates"));
    }

    private static void AssertCandidates(JsonElement candidates)
    {
        Assert.NotEqual(0, candidates.GetArrayLength());
        foreach (var candidate in candidates.EnumerateArray())
        {
            Assert.Equal(["candidate", "sdpMid", "sdpMLineIndex"], candidate.EnumerateObject().Select(property => property.Name));
            Assert.StartsWith("candidate:", candidate.GetProperty("candidate").GetString(), StringComparison.Ordinal);
        }
    }

    /// <summary>A real browser's offer.</summary>
    private async Task<string> OfferAsync(StreamingServer server)
    {
        await using var page = await browser.OpenAsync(server);
        return await page.Page.EvaluateAsync<string>(
            """
            async () => {
              const pc = new RTCPeerConnection();
              pc.addTransceiver('video', { direction: 'recvonly' });
              pc.createDataChannel('control');
              const offer = await pc.createOffer();
              return offer.sdp;
            }
            """
        );
    }

    private static async Task<HttpResponseMessage> PostAsync(StreamingServer server, string sdp)
    {
        using var body = new StringContent(sdp, Encoding.UTF8, "application/sdp");
        return await server.Http.PostAsync($"{server.DesktopPath}/whep", body, Stop);
    }

    private static async Task<HttpResponseMessage> PatchAsync(StreamingServer server, string viewer, string fragment, string? etag)
    {
        using var request = new HttpRequestMessage(HttpMethod.Patch, viewer);
        request.Content = new StringContent(fragment);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/trickle-ice-sdpfrag");
        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", etag);
        }

        return await server.Http.SendAsync(request, Stop);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static async Task ProblemAsync(HttpResponseMessage response, HttpStatusCode status, string reason)
    {
        var text = await response.Content.ReadAsStringAsync(Stop);
        Assert.True(status == response.StatusCode, $"{(int)response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(reason, JsonDocument.Parse(text).RootElement.GetProperty("reason").GetString());
        response.Dispose();
    }

    private static string Line(string sdp, string prefix) =>
        sdp.Split("\r\n").First(line => line.StartsWith(prefix, StringComparison.Ordinal))[prefix.Length..];
}
