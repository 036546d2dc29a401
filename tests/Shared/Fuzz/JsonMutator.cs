using System.Text.Json;
using System.Text.Json.Nodes;

namespace Oriel.Tests.Fuzzing;

/// <summary>Changes a JSON text by its tree, so that the result is JSON still and what reads it gets as far as its values.</summary>
internal sealed class JsonMutator(Random random, int maxLength)
{
    private static readonly JsonDocumentOptions Lenient = new() { MaxDepth = 64 };

    private static readonly string[] Texts =
    [
        "",
        " ",
        "\0",
        "a\0b",
        "a\r\nb",
        "..",
        "../../etc/passwd",
        "/",
        "//",
        "/proc/self/mem",
        "/a/../b",
        "~",
        "-",
        "--help",
        "null",
        "%00",
        "%2e%2e%2f",
        "\u202E",
        "\uFEFF",
        "\U0001F600",
        "\u0130",
        "[::1]",
        "[",
        "]",
        "*",
        "*.",
        "*.*",
        ".",
        "a.",
        "999999999999",
        "-1",
        "0x10",
        "1e9",
        "NaN",
        "{",
        "\"",
        "\\",
        "$(id)",
        "`id`",
        "; id",
        "sha256:",
        "AAAA",
        "====",
        "\uFFFD\uFFFE",
        new string('a', 300),
        new string('/', 5000),
        new string('é', 4000),
        string.Concat(Enumerable.Repeat("/a", 3000)),
        new string('9', 400),
    ];

    private static readonly double[] Numbers =
    [
        0,
        -0.0,
        1,
        -1,
        0.5,
        1e308,
        -1e308,
        5e-324,
        255,
        256,
        65535,
        65536,
        int.MaxValue,
        int.MinValue,
        uint.MaxValue,
        1L << 53,
        1e18,
        -1e18,
    ];
    private static readonly long[] Integers = [long.MaxValue, long.MinValue, long.MaxValue - 1, 0, -1, 1];

    /// <summary>Null when the seed is no JSON object or array, or when it has grown too long.</summary>
    public byte[]? Mutate(byte[] seed, byte[] donor)
    {
        if (Read(seed) is not { } root)
        {
            return null;
        }

        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            Change(root, Read(donor));
            if (Size(root) > maxLength)
            {
                return null;
            }
        }

        // Not by the serializer, which refuses what is deeper than 64: that is for the parser to do.
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { MaxDepth = 2000 }))
        {
            root.WriteTo(writer);
        }

        return bytes.ToArray();
    }

    private static JsonNode? Read(byte[] json)
    {
        try
        {
            return JsonNode.Parse(json, null, Lenient) is { } node and not JsonValue ? node : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void Change(JsonNode root, JsonNode? donor)
    {
        var containers = Containers(root).ToArray();
        switch (Any(containers))
        {
            case JsonObject { Count: > 0 } map:
                var key = Any([.. map.Select(pair => pair.Key)]);
                switch (random.Next(8))
                {
                    case 0:
                        map.Remove(key);
                        break;
                    case 1:
                        map[Any(Texts)] = map[key]?.DeepClone();
                        break;
                    case 2:
                        map[key] = Grown(map[key]);
                        break;
                    default:
                        map[key] = Value(map[key], donor);
                        break;
                }

                break;
            case JsonObject map:
                map[Any(Texts)] = Value(null, donor);
                break;
            case JsonArray { Count: > 0 } list:
                var at = random.Next(list.Count);
                switch (random.Next(6))
                {
                    case 0:
                        list.RemoveAt(at);
                        break;
                    case 1:
                        list.Insert(at, list[at]?.DeepClone());
                        break;
                    default:
                        list[at] = Value(list[at], donor);
                        break;
                }

                break;
            case JsonArray list:
                list.Add(Value(null, donor));
                break;
        }
    }

    /// <summary>Another value: often of the same type, so that it gets further.</summary>
    private JsonNode? Value(JsonNode? old, JsonNode? donor)
    {
        switch (random.Next(12))
        {
            case 0:
                return null;
            case 1:
                return JsonValue.Create(random.Next(2) == 0);
            case 2:
                return new JsonArray();
            case 3:
                return new JsonObject();
            case 4:
                return Deep();
            case 5 or 6:
                return donor is null ? null : Any([.. Containers(donor)]).DeepClone();
        }

        return old?.GetValueKind() switch
        {
            JsonValueKind.String => Text(old.GetValue<string>()),
            JsonValueKind.Number => Number(),
            _ => random.Next(2) == 0 ? Number() : JsonValue.Create(Any(Texts)),
        };
    }

    private JsonNode Text(string old) =>
        random.Next(3) switch
        {
            0 => Any(Texts),
            1 => old.Insert(random.Next(old.Length + 1), Any(Texts)),
            _ => old[..random.Next(old.Length + 1)] + (char)random.Next(1, 0xD800) + old[random.Next(old.Length + 1)..],
        };

    private JsonNode Number() => random.Next(3) == 0 ? Any(Integers) : Any(Numbers);

    private JsonArray Grown(JsonNode? item)
    {
        var list = new JsonArray();
        var most = 1 + (maxLength / Size(item));
        for (var count = Math.Min(most, random.Next(1, random.Next(4) == 0 ? 1200 : 8)); count > 0; count--)
        {
            list.Add(item?.DeepClone());
        }

        return list;
    }

    private JsonNode Deep()
    {
        JsonNode deep = new JsonArray();
        for (var depth = random.Next(1, 100); depth > 0; depth--)
        {
            deep = random.Next(2) == 0 ? new JsonArray(deep) : new JsonObject { ["m"] = deep };
        }

        return deep;
    }

    /// <summary>About as many bytes as it takes, and never none.</summary>
    private static int Size(JsonNode? node) =>
        node switch
        {
            JsonObject map => 2 + map.Sum(pair => pair.Key.Length + 4 + Size(pair.Value)),
            JsonArray list => 2 + list.Sum(item => 1 + Size(item)),
            JsonValue value when value.TryGetValue<string>(out var text) => 2 + text.Length,
            _ => 8,
        };

    private static IEnumerable<JsonNode> Containers(JsonNode root)
    {
        yield return root;
        var inner = root switch
        {
            JsonObject map => map.Select(pair => pair.Value),
            JsonArray list => list,
            _ => [],
        };
        foreach (var node in inner.Where(node => node is JsonObject or JsonArray).SelectMany(node => Containers(node!)))
        {
            yield return node;
        }
    }

    private T Any<T>(IReadOnlyList<T> items) => items[random.Next(items.Count)];
}
