using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Oriel.Tests.Server;

/// <summary>docs/openapi.json is what the server serves. To accept a wanted change: ORIEL_ACCEPT_OPENAPI=1 and run this test.</summary>
public sealed class OpenApiTests
{
    [Fact]
    public async Task Document_IsTheOneInDocs()
    {
        await using var server = await TestServer.StartAsync();
        var served = JsonNode.Parse(await server.Api.GetStringAsync("/openapi/v1.json", TestContext.Current.CancellationToken))!;
        var path = Path.Combine(RepositoryRoot(), "docs", "openapi.json");
        var text =
            served.ToJsonString(
                new JsonSerializerOptions
                {
                    WriteIndented = true,
                    IndentSize = 2,
                    Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                }
            ) + "\n";
        if (Environment.GetEnvironmentVariable("ORIEL_ACCEPT_OPENAPI") == "1")
        {
            await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
        }

        Assert.StartsWith("3.1", served["openapi"]!.GetValue<string>());
        Assert.True(File.Exists(path), $"{path} is missing");
        Assert.Equal(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken), text);
    }

    private static string RepositoryRoot([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));
}
