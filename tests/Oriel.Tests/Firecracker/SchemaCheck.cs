using System.Text.Json;
using System.Text.Json.Nodes;

namespace Oriel.Tests.Firecracker;

/// <summary>
/// Whether a value is what a schema of a Swagger 2.0 document says. Stricter than the standard in one point: a property that the schema
/// does not name is a fault unless it allows additional ones. A keyword that it does not know is an error, so nothing passes unchecked.
/// </summary>
internal sealed class SchemaCheck(JsonObject definitions)
{
    private const string Definitions = "#/definitions/";

    private static readonly HashSet<string> Descriptive = ["description", "default", "example", "format", "readOnly", "title"];

    /// <returns>What is wrong, each with its place; empty when nothing is.</returns>
    public IReadOnlyList<string> Faults(JsonNode? value, JsonNode schema)
    {
        List<string> faults = [];
        Check(value, schema.AsObject(), "$", faults);
        return faults;
    }

    private void Check(JsonNode? value, JsonObject schema, string at, List<string> faults)
    {
        if (schema["$ref"]?.GetValue<string>() is { } reference)
        {
            Check(value, definitions[reference[Definitions.Length..]]!.AsObject(), at, faults);
            return;
        }

        foreach (var (keyword, constraint) in schema)
        {
            switch (keyword)
            {
                case "type":
                    Require(IsOfType(value, constraint!.GetValue<string>()), $"{at} is no {constraint}", faults);
                    break;
                case "enum":
                    Require(
                        constraint!.AsArray().Any(choice => JsonNode.DeepEquals(choice, value)),
                        $"{at} is none of {constraint.ToJsonString()}",
                        faults
                    );
                    break;
                case "minimum":
                    Require(
                        !IsNumber(value) || value!.GetValue<decimal>() >= constraint!.GetValue<decimal>(),
                        $"{at} is below {constraint}",
                        faults
                    );
                    break;
                case "maximum":
                    Require(
                        !IsNumber(value) || value!.GetValue<decimal>() <= constraint!.GetValue<decimal>(),
                        $"{at} is above {constraint}",
                        faults
                    );
                    break;
                case "required":
                    faults.AddRange(
                        constraint!
                            .AsArray()
                            .Select(name => name!.GetValue<string>())
                            .Where(name => value is JsonObject given && !given.ContainsKey(name))
                            .Select(name => $"{at}.{name} is missing")
                    );
                    break;
                case "items":
                    CheckItems(value, constraint!.AsObject(), at, faults);
                    break;
                case "properties" or "additionalProperties":
                    break;
                default:
                    Assert.True(Descriptive.Contains(keyword), $"the schema at {at} has a keyword that is not checked: {keyword}");
                    break;
            }
        }

        CheckProperties(value, schema, at, faults);
    }

    private void CheckItems(JsonNode? value, JsonObject schema, string at, List<string> faults)
    {
        foreach (var (item, index) in (value as JsonArray ?? []).Select((item, index) => (item, index)))
        {
            Check(item, schema, $"{at}[{index}]", faults);
        }
    }

    private void CheckProperties(JsonNode? value, JsonObject schema, string at, List<string> faults)
    {
        if (value is not JsonObject given)
        {
            return;
        }

        var named = schema["properties"]?.AsObject() ?? [];
        var others = schema["additionalProperties"];
        foreach (var (name, item) in given)
        {
            if (named[name] is { } property)
            {
                Check(item, property.AsObject(), $"{at}.{name}", faults);
            }
            else if (others is JsonObject each)
            {
                Check(item, each, $"{at}.{name}", faults);
            }
            else
            {
                Require(others is not null && others.GetValue<bool>(), $"{at}.{name} is not in the schema", faults);
            }
        }
    }

    private static bool IsNumber(JsonNode? value) => value?.GetValueKind() == JsonValueKind.Number;

    private static bool IsOfType(JsonNode? value, string type) =>
        type switch
        {
            "object" => value is JsonObject,
            "array" => value is JsonArray,
            "string" => value?.GetValueKind() == JsonValueKind.String,
            "boolean" => value?.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
            "integer" => IsNumber(value) && value!.GetValue<decimal>() % 1 == 0,
            "number" => IsNumber(value),
            _ => throw new InvalidOperationException($"type {type}"),
        };

    private static void Require(bool holds, string fault, List<string> faults)
    {
        if (!holds)
        {
            faults.Add(fault);
        }
    }
}
