using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Oriel.Tests.Firecracker;

/// <summary>One request that the document knows.</summary>
/// <param name="Path">With its parameters in braces.</param>
/// <param name="Body">The body's schema; null where there is none.</param>
/// <param name="BodyRequired">As the document says; GET has none.</param>
/// <param name="Answer">The schema of the 200 answer; null where success is 204.</param>
/// <param name="Stage">When it may be made, by the document's own words.</param>
internal sealed record ApiOperation(string Method, string Path, JsonNode? Body, bool BodyRequired, JsonNode? Answer, ApiStage Stage);

internal enum ApiStage
{
    Any,
    BeforeStart,
    AfterStart,
}

/// <summary>Firecracker's published interface, tests/data/firecracker-api.yaml, read whole.</summary>
internal sealed class ApiDocument
{
    private readonly Dictionary<(string Method, string Path), ApiOperation> _operations = [];

    private ApiDocument(JsonObject document)
    {
        Version = document["info"]!["version"]!.GetValue<string>();
        Definitions = document["definitions"]!.AsObject();
        foreach (var (path, methods) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in methods!.AsObject())
            {
                var added = Read(method.ToUpperInvariant(), path, operation!.AsObject());
                _operations.Add((added.Method, added.Path), added);
            }
        }
    }

    public static ApiDocument Published { get; } = Load(Path.Combine(AppContext.BaseDirectory, "firecracker-api.yaml"));

    public string Version { get; }

    public JsonObject Definitions { get; }

    public IEnumerable<ApiOperation> Operations => _operations.Values;

    /// <returns>Null: the document has no such request. A parameter in the path has the value that the body gives it, else the fault says
    /// so.</returns>
    public ApiOperation? Find(string method, string path, JsonNode? body, out string? fault)
    {
        fault = null;
        if (_operations.TryGetValue((method, path), out var exact))
        {
            return exact;
        }

        var slash = path.LastIndexOf('/');
        var found = _operations.Values.FirstOrDefault(operation =>
            operation.Method == method && operation.Path.EndsWith('}') && operation.Path[..operation.Path.LastIndexOf('/')] == path[..slash]
        );
        if (found is not null && body is not null)
        {
            var parameter = found.Path[(slash + 2)..^1];
            fault = body[parameter]?.ToString() == path[(slash + 1)..] ? null : $"{parameter} in the body is not that of the path";
        }

        return found;
    }

    private static ApiOperation Read(string method, string path, JsonObject operation)
    {
        var body = operation["parameters"]?.AsArray().FirstOrDefault(parameter => parameter!["in"]!.GetValue<string>() == "body");
        var words = $"{operation["summary"]} {operation["description"]}";
        // The balloon, logger and metrics say it in other words or not at all.
        var before =
            words.Contains("Pre-boot only", StringComparison.Ordinal)
            || words.Contains("before machine startup.", StringComparison.Ordinal)
            || (method == "PUT" && path is "/logger" or "/metrics" or "/serial" or "/hotplug/memory");
        var after = words.Contains("Post-boot only", StringComparison.Ordinal) || (path, method) is ("/vm", "PATCH");
        return new ApiOperation(
            method,
            path,
            body?["schema"],
            body?["required"]?.GetValue<bool>() ?? false,
            operation["responses"]!["200"]?["schema"],
            before ? ApiStage.BeforeStart
                : after ? ApiStage.AfterStart
                : ApiStage.Any
        );
    }

    private static ApiDocument Load(string path)
    {
        using var reader = File.OpenText(path);
        var yaml = new YamlStream();
        yaml.Load(reader);
        return new ApiDocument(ToJson(yaml.Documents[0].RootNode)!.AsObject());
    }

    private static JsonNode? ToJson(YamlNode node) =>
        node switch
        {
            YamlMappingNode map => new JsonObject(
                map.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value!, ToJson(pair.Value)))
            ),
            YamlSequenceNode list => new JsonArray([.. list.Children.Select(ToJson)]),
            YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } scalar => JsonValue.Create(scalar.Value == "true"),
            YamlScalarNode { Style: ScalarStyle.Plain } scalar
                when decimal.TryParse(scalar.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) =>
                JsonValue.Create(number),
            YamlScalarNode scalar => JsonValue.Create(scalar.Value),
            _ => throw new InvalidOperationException($"{node.NodeType} at {node.Start}"),
        };
}
