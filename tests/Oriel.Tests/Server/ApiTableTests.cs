using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Oriel.Tests.Server;

public sealed class ApiTableTests(EmptyServer empty) : IClassFixture<EmptyServer>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{\"unknown\":1}")]
    [InlineData("{\"width\":\"wide\"}")]
    [InlineData("{\"width\":1}")]
    [InlineData("{\"width\":100000}")]
    [InlineData("{\"height\":-1}")]
    [InlineData("{\"name\":\"\"}")]
    [InlineData("{\"name\":\"a\\u0000b\"}")]
    [InlineData("{\"hostname\":\"-bad\"}")]
    [InlineData("{\"hostname\":\"two words\"}")]
    [InlineData("{\"timeZone\":\"../../etc/passwd\"}")]
    [InlineData("{\"timeZone\":\"Mars/Phobos\"}")]
    [InlineData("{\"keyboardLayout\":\"de; rm\"}")]
    [InlineData("{\"startUrl\":\"file:///etc/passwd\"}")]
    [InlineData("{\"startUrl\":\"javascript:alert(1)\"}")]
    [InlineData("{\"ttl\":0}")]
    [InlineData("{\"ttl\":1.5}")]
    [InlineData("{\"width\":1e400}")]
    [InlineData("{\"width\":1280.5}")]
    [InlineData("{\"idleTimeout\":-5}")]
    [InlineData("{\"env\":{\"BAD NAME\":\"1\"}}")]
    [InlineData("{\"env\":{\"A\":\"two\\nlines\"}}")]
    [InlineData("{\"env\":{\"A\":null}}")]
    [InlineData("{\"env\":{\"HTTP_PROXY\":\"http://other\"}}")]
    [InlineData("{\"env\":{\"HOME\":\"/\"}}")]
    [InlineData("{\"files\":[null]}")]
    [InlineData("{\"files\":[{}]}")]
    [InlineData("{\"files\":[{\"path\":\"relative\",\"content\":\"\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a/../b\",\"content\":\"\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/proc/x\",\"content\":\"\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/etc/environment\",\"content\":\"\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a\",\"content\":\"***\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a\",\"content\":\"\",\"mode\":\"rw\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a\",\"content\":\"\",\"owner\":\"nobody\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a\",\"content\":\"\"},{\"path\":\"/a\",\"content\":\"\"}]}")]
    [InlineData("{\"files\":[{\"path\":\"/a\",\"content\":\"\"},{\"path\":\"/a/b\",\"content\":\"\"}]}")]
    [InlineData("{\"trust\":[\"no certificate\"]}")]
    [InlineData("{\"egress\":{\"mode\":\"everything\"}}")]
    [InlineData("{\"egress\":{\"mode\":\"list\",\"allow\":[{\"host\":\"a b\"}]}}")]
    [InlineData("{\"egress\":{\"mode\":\"list\",\"allow\":[{\"host\":\"a.example\",\"ports\":[70000]}]}}")]
    public async Task Create_WithABadBody_Is400AndMakesNothing(string body)
    {
        var server = empty.Server;
        using var response = await server.Api.PostAsync("/api/desktops", new StringContent(body, Encoding.UTF8, "application/json"), Token);

        Assert.Equal((HttpStatusCode.BadRequest, "bad-request"), await ReasonAsync(response));
        Assert.Empty((await server.Api.GetFromJsonAsync<JsonNode>("/api/desktops?all=true", Token))!["desktops"]!.AsArray());
    }

    /// <summary>Numbers are integers by their value, whatever a client's writer makes of them (RFC 8259 section 6).</summary>
    [Theory]
    [InlineData("{\"width\":1280.0,\"height\":72e1}", 1280, 720)]
    [InlineData("{\"width\":1.28E+3,\"height\":720}", 1280, 720)]
    [InlineData("{\"name\":\"1280.0\",\"width\":1280,\"height\":7200e-1}", 1280, 720)]
    public async Task Create_WholeNumbersWrittenAsFloats_AreTaken(string body, int width, int height)
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.Api.PostAsync("/api/desktops", new StringContent(body, Encoding.UTF8, "application/json"), Token);
        var desktop = JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!;

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal((width, height), (desktop["width"]!.GetValue<int>(), desktop["height"]!.GetValue<int>()));
    }

    /// <summary>The image counts, not the host: Debian has split the old names off, and not every host has them.</summary>
    [Fact]
    public async Task Create_TimeZoneThatTheImageAloneHas_IsTaken()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.Api.PostAsJsonAsync("/api/desktops", new { timeZone = "Test/OfTheImage" }, Token);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    [Theory]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/..%2f..", 404, "no-such-desktop")]
    [InlineData("DELETE", "/api/desktops/d-aaaaaaaaaa", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/events", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/attestation", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/screenshot", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/files?path=/a", 404, "no-such-desktop")]
    [InlineData("PUT", "/api/desktops/d-aaaaaaaaaa/files?path=/a", 404, "no-such-desktop")]
    [InlineData("POST", "/api/desktops/d-aaaaaaaaaa/exec", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/egress", 404, "no-such-desktop")]
    [InlineData("PUT", "/api/desktops/d-aaaaaaaaaa/egress", 404, "no-such-desktop")]
    [InlineData("GET", "/api/desktops/d-aaaaaaaaaa/log", 404, "no-such-desktop")]
    [InlineData("POST", "/api/desktops/d-aaaaaaaaaa/pause", 404, "no-such-desktop")]
    [InlineData("POST", "/api/desktops/d-aaaaaaaaaa/fork", 404, "no-such-desktop")]
    [InlineData("GET", "/api/nothing", 404, "not-found")]
    [InlineData("GET", "/openapi/other.json", 404, "not-found")]
    [InlineData("PATCH", "/api/desktops", 405, "method-not-allowed")]
    [InlineData("GET", "/api/desktops?all=perhaps", 400, "bad-request")]
    public async Task Request_ThatNamesNothing_SaysSo(string method, string path, int status, string reason)
    {
        var server = empty.Server;
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await server.Api.SendAsync(request, Token);

        Assert.Equal(((HttpStatusCode)status, reason), await ReasonAsync(response));
    }

    [Theory]
    [InlineData("GET", "attestation", null, 409, "not-ready")]
    [InlineData("GET", "screenshot", null, 409, "not-ready")]
    [InlineData("GET", "files?path=/a", null, 409, "not-ready")]
    [InlineData("PUT", "files?path=/a", null, 409, "not-ready")]
    [InlineData("DELETE", "files?path=/a", null, 409, "not-ready")]
    [InlineData("GET", "files/stat?path=/a", null, 409, "not-ready")]
    [InlineData("GET", "files/watch?path=/a", null, 409, "not-ready")]
    [InlineData("GET", "files/archive?path=/a", null, 409, "not-ready")]
    [InlineData("PUT", "files/archive?path=/a", null, 409, "not-ready")]
    [InlineData("POST", "files/directories?path=/a", null, 409, "not-ready")]
    [InlineData("POST", "files/move", "{\"from\":\"/a\",\"to\":\"/b\"}", 409, "not-ready")]
    [InlineData("POST", "exec", "{\"command\":\"id\"}", 409, "not-ready")]
    [InlineData("POST", "pause", null, 409, "wrong-state")]
    [InlineData("POST", "fork", "{\"name\":\"\"}", 400, "bad-request")]
    [InlineData("POST", "fork", "{\"other\":1}", 400, "bad-request")]
    [InlineData("POST", "fork", "{}", 409, "not-possible-here")]
    [InlineData("POST", "resume", null, 409, "wrong-state")]
    [InlineData("PUT", "egress", "{\"mode\":\"bad\"}", 400, "bad-request")]
    [InlineData("PUT", "egress", "{", 400, "bad-request")]
    [InlineData("PUT", "egress", "{\"mode\":\"none\"}", 200, null)]
    [InlineData("GET", "egress", null, 200, null)]
    [InlineData("GET", "log", null, 200, null)]
    public async Task Request_ToADesktopThatIsNotReady_SaysSo(string method, string part, string? body, int status, string? reason)
    {
        await using var server = await TestServer.StartAsync();
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        using var request = new HttpRequestMessage(new HttpMethod(method), $"/api/desktops/{id}/{part}")
        {
            Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
        };
        using var response = await server.Api.SendAsync(request, Token);

        Assert.Equal(status, (int)response.StatusCode);
        if (reason is not null)
        {
            Assert.Equal(((HttpStatusCode)status, reason), await ReasonAsync(response));
        }
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/api/session")]
    [InlineData("/api/desktops")]
    [InlineData("/api/desktops/{id}")]
    [InlineData("/api/desktops/{id}/egress")]
    [InlineData("/api/desktops/{id}/log")]
    [InlineData("/api/desktops/d-zzzzzzzzzz")]
    [InlineData("/api/images")]
    [InlineData("/api/templates")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/metrics")]
    public async Task Head_OfWhateverCanBeRead_IsGetWithoutItsContent(string path)
    {
        await using var server = await TestServer.StartAsync();
        path = path.Replace("{id}", (await server.CreateAsync())["id"]!.GetValue<string>(), StringComparison.Ordinal);
        using var get = await server.Api.GetAsync(path, Token);
        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        using var head = await server.Api.SendAsync(request, Token);

        Assert.Equal((get.StatusCode, get.Content.Headers.ContentType), (head.StatusCode, head.Content.Headers.ContentType));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(Token));
    }

    [Fact]
    public async Task Head_OfTheEvents_EndsWithItsHead()
    {
        await using var server = await TestServer.StartAsync();
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        using var request = new HttpRequestMessage(HttpMethod.Head, $"/api/desktops/{id}/events");
        using var head = await server.Api.SendAsync(request, Token);

        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
    }

    [Theory]
    [InlineData("POST", "/api/desktops", """{"name":"a","name":"b"}""")]
    [InlineData("POST", "/api/desktops", """{"egress":{"mode":"none","mode":"internet"}}""")]
    [InlineData("POST", "/api/desktops", """{"env":{"A":"1","A":"2"}}""")]
    [InlineData("PUT", "/api/desktops/{id}/egress", """{"mode":"none","mode":"internet"}""")]
    [InlineData("POST", "/api/session", """{"token":"a","token":"b"}""")]
    [InlineData("POST", "/api/desktops/{id}/webrtc/answer", """{"offer":{"sdp":"a","sdp":"b"}}""")]
    public async Task Body_WithADoubledName_IsRefused(string method, string path, string body)
    {
        await using var server = await TestServer.StartAsync();
        path = path.Replace("{id}", (await server.CreateAsync())["id"]!.GetValue<string>(), StringComparison.Ordinal);
        using var request = new HttpRequestMessage(new HttpMethod(method), path)
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        using var response = await server.Api.SendAsync(request, Token);

        Assert.Equal((HttpStatusCode.BadRequest, "bad-request"), await ReasonAsync(response));
    }

    [Fact]
    public async Task Create_OfAnotherMediaType_Is415()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.Api.PostAsync(
            "/api/desktops",
            new StringContent("a=b", Encoding.UTF8, "application/x-www-form-urlencoded"),
            Token
        );

        Assert.Equal((HttpStatusCode.UnsupportedMediaType, "unsupported-media-type"), await ReasonAsync(response));
    }

    [Fact]
    public async Task Create_FromAnUnknownTemplate_Is404()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.Api.PostAsJsonAsync("/api/desktops", new { template = "none-such" }, Token);

        Assert.Equal((HttpStatusCode.NotFound, "no-such-template"), await ReasonAsync(response));
    }

    [Fact]
    public async Task Create_WithoutAnImage_Is409AndSaysHowToBuildOne()
    {
        await using var server = await TestServer.StartAsync(image: false);
        using var response = await server.Api.PostAsJsonAsync("/api/desktops", new { }, Token);
        var text = await response.Content.ReadAsStringAsync(Token);

        Assert.Equal((HttpStatusCode.Conflict, "image-missing"), await ReasonAsync(response));
        Assert.Contains("oriel image build", text);
        using var ready = await server.Anonymous.GetAsync("/health/ready", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
    }

    [Fact]
    public async Task Create_MoreThanTheMost_Is429UntilOneIsGone()
    {
        await using var server = await TestServer.StartAsync(maxDesktops: 2);
        var first = (await server.CreateAsync())["id"]!.GetValue<string>();
        await server.CreateAsync();
        using var third = await server.Api.PostAsJsonAsync("/api/desktops", new { }, Token);
        Assert.Equal((HttpStatusCode.TooManyRequests, "too-many-desktops"), await ReasonAsync(third));

        using var gone = await server.Api.DeleteAsync($"/api/desktops/{first}", Token);
        Assert.Equal(HttpStatusCode.Accepted, gone.StatusCode);
        await server.CreateAsync();
    }

    private static async Task<(HttpStatusCode, string?)> ReasonAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(Token);
        return (response.StatusCode, text.Length == 0 ? "(empty)" : JsonNode.Parse(text)!["reason"]?.GetValue<string>());
    }
}
