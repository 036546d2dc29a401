using System.Text.Json.Nodes;
using Oriel.Tests.Structure;

namespace Oriel.Tests.Server;

/// <summary>One operation of docs/openapi.json, which <see cref="OpenApiTests"/> holds to be what the server serves.</summary>
internal sealed class ApiOperation
{
    public const string Json = "application/json";

    private static readonly JsonNode Document = JsonNode.Parse(SourceTree.Read("docs/openapi.json"))!;

    private readonly JsonNode _description;

    private ApiOperation(string method, string path, JsonNode description) => (Method, Path, _description) = (method, path, description);

    public static IReadOnlyList<ApiOperation> All { get; } =
    [
        .. Document["paths"]!
            .AsObject()
            .SelectMany(path =>
                path.Value!.AsObject().Select(entry => new ApiOperation(entry.Key.ToUpperInvariant(), path.Key, entry.Value!))
            ),
    ];

    public string Method { get; }

    public string Path { get; }

    public IReadOnlyList<int> Statuses => [.. _description["responses"]!.AsObject().Select(entry => int.Parse(entry.Key))];

    /// <summary>The type of its body; null where it takes none.</summary>
    public string? BodyType => _description["requestBody"]?["content"]!.AsObject().Single().Key;

    public JsonNode BodySchema => _description["requestBody"]!["content"]![BodyType!]!["schema"]!;

    public IEnumerable<string> Queries => Parameters("query");

    public IEnumerable<string> PathNames => Parameters("path");

    /// <summary>What it needs of a query to do its work.</summary>
    public string FairQuery => Queries.Contains("path") ? "?path=/a" : "";

    /// <summary>A body that it can read.</summary>
    public byte[] FairBody =>
        BodyType switch
        {
            null => [],
            Json when Path.EndsWith("/exec", StringComparison.Ordinal) => """{"command":"true"}"""u8.ToArray(),
            Json when Path.EndsWith("/processes", StringComparison.Ordinal) => """{"command":"true"}"""u8.ToArray(),
            Json when Path.EndsWith("/signal", StringComparison.Ordinal) => """{"signal":"TERM"}"""u8.ToArray(),
            Json when Path.EndsWith("/window", StringComparison.Ordinal) => """{"columns":80,"rows":24}"""u8.ToArray(),
            Json when Path.EndsWith("/answer", StringComparison.Ordinal) => """{"offer":{"sdp":"v=0"}}"""u8.ToArray(),
            Json => "{}"u8.ToArray(),
            _ => "v=0\r\n"u8.ToArray(),
        };

    public static ApiOperation Of(string method, string path) =>
        All.Single(operation => operation.Method == method && operation.Path == path);

    /// <summary>As a theory's cases: method and path.</summary>
    public static TheoryData<string, string> Where(Func<ApiOperation, bool> fits) =>
        new(All.Where(fits).Select(operation => (operation.Method, operation.Path)));

    /// <summary>Follows a reference, and takes what may be null for what it is otherwise.</summary>
    public static JsonNode Resolve(JsonNode schema) =>
        schema["$ref"] is { } reference ? Document["components"]!["schemas"]![reference.GetValue<string>().Split('/')[^1]]!
        : schema["oneOf"] is { } choices ? Resolve(choices.AsArray().Last()!)
        : schema;

    public override string ToString() => $"{Method} {Path}";

    private IEnumerable<string> Parameters(string place) =>
        (_description["parameters"]?.AsArray() ?? [])
            .Where(p => p!["in"]!.GetValue<string>() == place)
            .Select(p => p!["name"]!.GetValue<string>());
}
