using Oriel.Tests.Server;
using Oriel.Tests.Structure;

namespace Oriel.Tests.Streaming;

/// <summary>A WHEP player at the HTTP border of the whole server; no media flows.</summary>
internal sealed class WhepClient(RouteTableServer table)
{
    public const string Sdp = "application/sdp";
    public const string Fragment = "application/trickle-ice-sdpfrag";
    private const string Folder = "tests/Oriel.Tests/Streaming/Offers";

    /// <summary>Video, audio and data in one bundle.</summary>
    public static string Offer { get; } = Recorded("chromium-max-bundle-video");

    /// <summary>The names of the offers that tests/record-offers.mjs recorded.</summary>
    public static IEnumerable<string> Offers =>
        Directory
            .EnumerateFiles(Path.Combine(SourceTree.Root, Folder), "*.sdp")
            .Select(path => Path.GetFileNameWithoutExtension(path)!)
            .Order();

    public string Endpoint { get; } = table.AddressOf(ApiOperation.Of("POST", "/api/desktops/{id}/whep"));

    public HttpClient Stranger => table.Server.Anonymous;

    public string Token => table.Server.Token;

    public static string Recorded(string name) => SourceTree.Read($"{Folder}/{name}.sdp");

    public async Task<Answer> AskAsync(
        string method,
        string address,
        string? body = null,
        string? type = null,
        HttpClient? by = null,
        params (string Name, string Value)[] fields
    )
    {
        var request = table.Request(method, address, body is null ? null : System.Text.Encoding.UTF8.GetBytes(body), type);
        foreach (var (name, value) in fields)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        return await table.AskAsync(request, by);
    }

    public Task<Answer> PostAsync(string offer) => AskAsync("POST", Endpoint, offer, Sdp);

    public Task<Answer> PatchAsync(string session, string fragment, string? tag) =>
        AskAsync("PATCH", session, fragment, Fragment, fields: tag is null ? [] : [("If-Match", tag)]);

    /// <summary>An offer that is taken.</summary>
    public async Task<WhepSession> OpenAsync(string? offer = null)
    {
        var answer = await PostAsync(offer ?? Offer);
        Assert.True(answer.Status == 201, $"{answer.Status} {answer.Text}");
        return new WhepSession(answer.Field("Location")!, answer.Field("ETag")!, answer.Text);
    }
}

internal sealed record WhepSession(string Url, string Tag, string Answer);
