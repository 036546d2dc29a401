using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Oriel.Desktops.Node;
using Oriel.Desktops.Templates;
using Oriel.Protocol.Layout;
using Oriel.Server.Configuration;
using Oriel.Streaming;

namespace Oriel.Tests.Server;

/// <summary>What desktops are made from, and whether they can be made.</summary>
public sealed class CatalogTests
{
    private const string Templates = """
        [
          {
            "name": "research", "width": 1024, "height": 768, "ttl": 3600, "idleTimeout": 600,
            "egress": {
              "mode": "list",
              "allow": [{ "host": "*.example.org", "ports": [443] }, { "host": "mirror.example" }],
              "deny": [{ "host": "secret.example.org" }],
              "upstream": { "type": "http", "host": "proxy.invalid", "port": 3128, "username": "u", "password": "upstream-password" }
            }
          },
          { "name": "offline", "egress": { "mode": "none" } }
        ]
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Images_OneThatIsUsable_IsListed()
    {
        await using var server = await TestServer.StartAsync();
        var image = Assert.Single((await server.Api.GetFromJsonAsync<JsonNode>("/api/images", Token))!["images"]!.AsArray())!;

        Assert.Equal("desktop", image["name"]!.GetValue<string>());
        Assert.Equal("sha256:" + new string('a', 64), image["digest"]!.GetValue<string>());
        Assert.True(image["usable"]!.GetValue<bool>());
        Assert.Null(image["reason"]);
        Assert.Equal((1, 1), (image["size"]!.GetValue<int>(), image["packages"]!.GetValue<int>()));
        Assert.Equal(2026, image["createdAt"]!.GetValue<DateTimeOffset>().Year);
    }

    [Fact]
    public async Task Images_OneWhoseBootTestFailed_IsListedWithTheReasonAndRefused()
    {
        await using var server = await TestServer.StartAsync();
        var manifest = TestServer.ImageIn(server.Data).Manifest;
        var spoiled = JsonNode.Parse(await File.ReadAllTextAsync(manifest, Token))!;
        (spoiled["bootTest"]!["passed"], spoiled["bootTest"]!["reason"]) = (false, "no terminal window");
        await File.WriteAllTextAsync(manifest, spoiled.ToJsonString(), Token);
        var image = Assert.Single((await server.Api.GetFromJsonAsync<JsonNode>("/api/images", Token))!["images"]!.AsArray())!;
        using var refused = await server.Api.PostAsJsonAsync("/api/desktops", new { }, Token);

        Assert.Equal((false, "no terminal window"), (image["usable"]!.GetValue<bool>(), image["reason"]!.GetValue<string>()));
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Contains("no terminal window", await refused.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task Templates_OfTheFileAndTheBuiltInOne_AreListedWithoutPasswords()
    {
        await using var server = await StartAsync(Templates);
        var text = await server.Api.GetStringAsync("/api/templates", Token);
        var templates = JsonNode.Parse(text)!["templates"]!.AsArray();

        Assert.Equal(["default", "offline", "research"], templates.Select(t => t!["name"]!.GetValue<string>()));
        var (standard, research) = (templates[0]!, templates[2]!);
        Assert.Equal(
            (1280, 720, "internet"),
            (standard["width"]!.GetValue<int>(), standard["height"]!.GetValue<int>(), standard["egress"]!["mode"]!.GetValue<string>())
        );
        Assert.Null(standard["ttl"]);
        Assert.Equal(
            (1024, 768, 3600, 600),
            (
                research["width"]!.GetValue<int>(),
                research["height"]!.GetValue<int>(),
                research["ttl"]!.GetValue<int>(),
                research["idleTimeout"]!.GetValue<int>()
            )
        );
        Assert.Equal("*.example.org", research["egress"]!["allow"]![0]!["host"]!.GetValue<string>());
        Assert.DoesNotContain("upstream-password", text);
    }

    [Theory]
    [InlineData(DesktopDriver.MicroVm, 268435456L, 8L << 30)]
    [InlineData("container", null, null)]
    public async Task Templates_LimitOfTheDisk_IsToldWhereItHolds(string isolation, long? ofTheTemplate, long? unsaid)
    {
        var driver = isolation == DesktopDriver.MicroVm ? DesktopDriver.Firecracker("firecracker") : DesktopDriver.Container;
        await using var server = await StartAsync(
            """[{"name":"a","diskBytes":268435456},{"name":"b"}]""",
            options => options with { Driver = driver }
        );
        var templates = (await server.Api.GetFromJsonAsync<JsonNode>("/api/templates", Token))!["templates"]!.AsArray();

        Assert.Equal([ofTheTemplate, unsaid], templates.Take(2).Select(template => template!["diskBytes"]?.GetValue<long>()));
        Assert.Equal(
            ofTheTemplate is null,
            server.Log.Text.Contains("The template 'a' has diskBytes, which do not hold here", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Create_FromATemplate_HasItsSizeTimesAndPolicy()
    {
        await using var server = await StartAsync(Templates);
        var desktop = await server.CreateAsync(new { template = "research" });
        var egress = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{desktop["id"]}/egress", Token))!["policy"]!;

        Assert.Equal(
            ("research", 1024, 768),
            (desktop["template"]!.GetValue<string>(), desktop["width"]!.GetValue<int>(), desktop["height"]!.GetValue<int>())
        );
        Assert.Equal(
            TimeSpan.FromHours(1),
            desktop["expiresAt"]!.GetValue<DateTimeOffset>() - desktop["createdAt"]!.GetValue<DateTimeOffset>()
        );
        Assert.Equal(
            ("list", "*.example.org", 443, "secret.example.org"),
            (
                egress["mode"]!.GetValue<string>(),
                egress["allow"]![0]!["host"]!.GetValue<string>(),
                egress["allow"]![0]!["ports"]![0]!.GetValue<int>(),
                egress["deny"]![0]!["host"]!.GetValue<string>()
            )
        );
    }

    [Theory]
    [InlineData("research", "www.example.org:443", "upstream-failed")]
    [InlineData("research", "www.example.org:80", "policy-not-listed")]
    [InlineData("research", "mirror.example:8080", "upstream-failed")]
    [InlineData("research", "secret.example.org:443", "policy-denied")]
    [InlineData("research", "elsewhere.example:443", "policy-not-listed")]
    [InlineData("offline", "www.example.org:443", "policy-none")]
    public async Task Egress_OfATemplate_HoldsForItsDesktopsByNameAndPort(string template, string target, string reason)
    {
        // What the policy allows fails later, at an upstream proxy whose name no resolver knows.
        await using var server = await StartAsync(Templates);
        var id = (await server.CreateAsync(new { template }))["id"]!.GetValue<string>();
        await server.WaitForAsync(id, "step", e => e["name"]!.GetValue<string>() == "namespaces");

        Assert.Contains($"X-Oriel-Reason: {reason}", await server.ConnectThroughProxyAsync(id, target));
    }

    [Fact]
    public async Task Create_WithWhatTheRequestSays_GoesBeforeTheTemplate()
    {
        await using var server = await StartAsync(Templates);
        var desktop = await server.CreateAsync(
            new
            {
                template = "offline",
                width = 800,
                ttl = 60,
                egress = new { mode = "internet" },
            }
        );

        Assert.Equal(
            (800, 720, "internet"),
            (desktop["width"]!.GetValue<int>(), desktop["height"]!.GetValue<int>(), desktop["egress"]!["mode"]!.GetValue<string>())
        );
        Assert.NotNull(desktop["expiresAt"]);
    }

    [Theory]
    [InlineData("{", "templates.json")]
    [InlineData("[{}]", "name")]
    [InlineData("""[{"name":""}]""", "name")]
    [InlineData("""[{"name":"a","colour":"red"}]""", "colour")]
    [InlineData("""[{"name":"a"},{"name":"a"}]""", "twice")]
    [InlineData("""[{"name":"a","width":1}]""", "width must be 320 to 3840")]
    [InlineData("""[{"name":"a","height":9999}]""", "height must be 240 to 2160")]
    [InlineData("""[{"name":"a","ttl":0}]""", "ttl")]
    [InlineData("""[{"name":"a","idleTimeout":-1}]""", "idleTimeout")]
    [InlineData("""[{"name":"a","memoryBytes":-1}]""", "memoryBytes")]
    [InlineData("""[{"name":"a","cpus":-1}]""", "cpus")]
    [InlineData("""[{"name":"a","pids":-1}]""", "pids")]
    [InlineData("""[{"name":"a","diskBytes":-1}]""", "diskBytes must be 268435456 to 1099511627776")]
    [InlineData("""[{"name":"a","diskBytes":268435455}]""", "diskBytes must be 268435456 to 1099511627776")]
    [InlineData("""[{"name":"a","diskBytes":1099511627777}]""", "diskBytes must be 268435456 to 1099511627776")]
    [InlineData("""[{"name":"a","egress":{"mode":"list","allow":[{"host":"a b"}]}}]""", "egress")]
    public void Read_WrongFile_NamesTheFault(string json, string named)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, json);
            Assert.Contains(
                named.Replace("templates.json", path, StringComparison.Ordinal),
                Assert.Throws<IOException>(() => TemplateFile.Read(path)).Message
            );
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("600", true)]
    [InlineData("640", false)]
    [InlineData("644", false)]
    public void Read_FileWithAPassword_IsItsOwnersAlone(string mode, bool isTaken)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(
                path,
                """[{"name":"a","egress":{"mode":"internet","upstream":{"type":"http","host":"p.example","port":80,"username":"u","password":"p"}}}]"""
            );
            File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(mode, 8));
            if (isTaken)
            {
                Assert.Single(TemplateFile.Read(path));
            }
            else
            {
                Assert.Contains("chmod 600", Assert.Throws<IOException>(() => TemplateFile.Read(path)).Message);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task Ready_MediaPortThatIsBoundNoMore_Is503AndSaysSo()
    {
        await using var server = await TestServer.StartAsync();
        var before = (await server.Anonymous.GetFromJsonAsync<JsonNode>("/health/ready", Token))!;
        await server.Application.Services.GetRequiredService<StreamingService>().DisposeAsync();
        using var after = await server.Anonymous.GetAsync("/health/ready", Token);

        Assert.Contains(
            before["checks"]!.AsArray(),
            check => check!["name"]!.GetValue<string>() == "media" && check["ok"]!.GetValue<bool>()
        );
        Assert.Equal(HttpStatusCode.ServiceUnavailable, after.StatusCode);
        Assert.Contains("media port is not bound", await after.Content.ReadAsStringAsync(Token));
    }

    private static async Task<TestServer> StartAsync(string templates, Func<ServeOptions, ServeOptions>? change = null)
    {
        var data = Directory.CreateTempSubdirectory("oriel-templates-").FullName;
        var file = new DataLayout(data).Templates;
        await File.WriteAllTextAsync(file, templates, Token);
        // It holds a password.
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return await TestServer.StartAsync(data, ownsData: true, change: change);
    }
}
