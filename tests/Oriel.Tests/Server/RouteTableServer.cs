using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriel.Protocol;
using Oriel.Tests.Structure;

namespace Oriel.Tests.Server;

/// <summary>
/// One server for the whole table, with a ready desktop that must outlive it and another that may be paused, copied and destroyed.
/// </summary>
public sealed class RouteTableServer : IAsyncLifetime
{
    public const string NoSuchId = "d-aaaaaaaaaa";

    /// <summary>What the server beneath answers by itself to what is no HTTP, before anything of ours sees it.</summary>
    private static readonly int[] Parsers = [400, 408, 414, 431, 505];

    private static readonly string[] Reasons = Words.Of(typeof(RequestReasons));

    /// <summary>Operations that end or change a desktop.</summary>
    private static readonly string[] Spent = ["/pause", "/resume", "/fork"];

    private string _kept = "";
    private string _spare = "";
    private int _errorsSeen;

    internal TestServer Server { get; private set; } = null!;

    internal IEnumerable<RouteEndpoint> Endpoints =>
        Server.Application.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var spare = new PlayedGuest();
        Server = await TestServer.StartAsync(
            keepers: new PlayedKeepers
            {
                GuestFor = spec =>
                    spec.Snapshot is { IsRestore: true, IsOwn: true } ? spare.Copy()
                    : _kept.Length > 0 && _spare.Length == 0 ? spare
                    : new PlayedGuest(),
            },
            maxDesktops: 3,
            change: options => options with { Driver = PlayedKeepers.Driver },
            logged: LogLevel.Warning
        );
        _kept = await ReadyAsync();
        _spare = await ReadyAsync();
        using var put = await Server.Api.PutAsync($"/api/desktops/{_kept}/files?path=/a", new ByteArrayContent(new byte[1000]), Token);
        Assert.True(put.IsSuccessStatusCode);
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    /// <summary>Bytes that its body may have.</summary>
    internal long LimitOf(ApiOperation operation) =>
        Endpoints
            .Single(e =>
                PathOf(e) == operation.Path && e.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains(operation.Method) == true
            )
            .Metadata.GetMetadata<IRequestSizeLimitMetadata>()!
            .MaxRequestBodySize!.Value;

    internal static string PathOf(RouteEndpoint endpoint) => "/" + endpoint.RoutePattern.RawText!.Trim('/');

    /// <summary>The operation's address, with one of its names given another value.</summary>
    internal string AddressOf(ApiOperation operation, string? name = null, string? value = null)
    {
        var isSpent =
            (operation.Method == "DELETE" && !operation.PathNames.Contains("process"))
            || Spent.Any(end => operation.Path.EndsWith(end, StringComparison.Ordinal));
        var address = name is null ? operation.Path : operation.Path.Replace($"{{{name}}}", value, StringComparison.Ordinal);
        return address
            .Replace("{id}", isSpent ? _spare : _kept, StringComparison.Ordinal)
            .Replace("{viewer}", "none", StringComparison.Ordinal)
            .Replace("{process}", PlayedProcesses.Id, StringComparison.Ordinal);
    }

    /// <param name="address">As it stands: nothing in it is encoded or taken out.</param>
    internal HttpRequestMessage Request(string method, string address, byte[]? body = null, string? type = null)
    {
        var request = new HttpRequestMessage(
            new HttpMethod(method),
            new Uri(Server.Url + address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true })
        );
        if (body is not null && (body.Length > 0 || type is not null))
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        return request;
    }

    internal HttpRequestMessage Fair(ApiOperation operation, string? address = null) =>
        Request(operation.Method, address ?? AddressOf(operation) + operation.FairQuery, operation.FairBody, operation.BodyType);

    internal async Task<Answer> AskAsync(HttpRequestMessage request, HttpClient? client = null)
    {
        using (request)
        {
            using var response = await (client ?? Server.Api).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
            var hasEnd = response.Content.Headers.ContentType?.MediaType != "text/event-stream";
            var text = hasEnd ? await response.Content.ReadAsStringAsync(Token) : "";
            if (response.IsSuccessStatusCode && request.RequestUri!.AbsolutePath == "/api/token/rotate")
            {
                Server.UseToken(JsonNode.Parse(text)!["token"]!.GetValue<string>());
            }

            return new Answer(
                (int)response.StatusCode,
                text,
                response.Content.Headers.ContentType?.MediaType,
                !response.Headers.Contains("X-Frame-Options"),
                [.. response.Headers.Concat(response.Content.Headers).Select(header => $"{header.Key}: {string.Join(", ", header.Value)}")]
            );
        }
    }

    /// <summary>What is wrong with an answer, whatever was asked: empty, or one line.</summary>
    internal static IEnumerable<string> Faults(ApiOperation? operation, Answer answer, string asked)
    {
        var problem =
            answer.IsParsers ? (Parsers.Contains(answer.Status) ? null : "comes from the server beneath")
            : answer.Status >= 500 && answer.Reason != RequestReasons.TooManyViewers ? "blames the server"
            : answer.Status >= 400 && answer.Type != "application/problem+json" ? $"is {answer.Type ?? "nothing"}, no problem document"
            : answer.Status >= 400 && !Reasons.Contains(answer.Reason) ? "has no reason that is known"
            : operation is not null && !operation.Statuses.Contains(answer.Status) ? "is not in the OpenAPI document"
            : null;
        return problem is null
            ? []
            : [$"{asked}: {answer.Status} {answer.Reason} {problem}: {answer.Text[..Math.Min(answer.Text.Length, 300)]}"];
    }

    /// <summary>Asks each, one after the other: none may have a fault.</summary>
    internal async Task RequireFairAnswersAsync(ApiOperation operation, IEnumerable<(string Asked, HttpRequestMessage Request)> requests)
    {
        var faults = new List<string>();
        foreach (var (asked, request) in requests)
        {
            faults.AddRange(Faults(operation, await AskAsync(request), asked));
        }

        Require(faults);
    }

    /// <summary>None, or the first of them in full.</summary>
    internal static void Require(IEnumerable<string> faults)
    {
        const int Shown = 30;
        var found = faults.ToList();
        Assert.True(found.Count == 0, $"{found.Count} faults:\n{string.Join('\n', found.Take(Shown))}");
    }

    /// <summary>The kept desktop is ready, and nothing that was asked since the last such look made the server log an error.</summary>
    internal async Task RequireUnharmedAsync()
    {
        var desktop = JsonNode.Parse(await Server.Api.GetStringAsync($"/api/desktops/{_kept}", Token))!;
        Assert.Equal("ready", desktop["state"]!.GetValue<string>());
        string[] errors = [.. Server.Log.Text.Split('\n').Where(line => line.Split(' ')[0] is "Error" or "Critical")];
        var seen = Interlocked.Exchange(ref _errorsSeen, errors.Length);
        Assert.Empty(errors.Skip(seen));
    }

    private async Task<string> ReadyAsync()
    {
        var id = (await Server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await Server.WaitForStateAsync(id, "ready");
        return id;
    }
}

/// <param name="IsParsers">It has none of the fields that each answer of ours has.</param>
internal sealed record Answer(int Status, string Text, string? Type, bool IsParsers, IReadOnlyList<string> Fields)
{
    public string? Reason
    {
        get
        {
            try
            {
                return Type == "application/problem+json" ? JsonNode.Parse(Text)!["reason"]?.GetValue<string>() : null;
            }
            catch (System.Text.Json.JsonException)
            {
                return null;
            }
        }
    }

    public string? Field(string name) =>
        Fields
            .Where(field => field.StartsWith($"{name}: ", StringComparison.OrdinalIgnoreCase))
            .Select(field => field[(name.Length + 2)..])
            .SingleOrDefault();
}
