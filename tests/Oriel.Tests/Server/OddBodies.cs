using System.Text;
using System.Text.Json.Nodes;

namespace Oriel.Tests.Server;

/// <summary>Bodies that a schema's reader must answer for, whatever it makes of them.</summary>
internal static class OddBodies
{
    /// <summary>Stands for a byte that no UTF-8 has.</summary>
    private const char NoUtf8 = '\uE000';

    /// <summary>No text of these is a JSON object.</summary>
    public static IReadOnlyList<(string Name, byte[] Body)> NoObjects { get; } =
    [
        .. new[]
        {
            "",
            " ",
            "{",
            "}",
            "null",
            "[]",
            "[{}]",
            "true",
            "1",
            "1e400",
            "-",
            "NaN",
            "\"text\"",
            "\"\\ud800\"",
            "{}{}",
            "{}x",
            "{a:1}",
            "{'a':1}",
            "{/*c*/}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"oriel-unknown\":1}",
            "{\"\\ud800\":1}",
            "{\"\\u0000\":1}",
            $"{{\"{NoUtf8}\":1}}",
            $"{NoUtf8}",
            "\0",
            new string('[', 10_000),
            string.Concat(Enumerable.Repeat("{\"a\":", 10_000)),
            $"{new string('[', 60)}{new string(']', 60)}",
            $"{{\"{new string('n', 3000)}\":1}}",
        }.Select(text => (Short(text), Bytes(text))),
        ("UTF-16", Encoding.Unicode.GetBytes("{}")),
    ];

    /// <summary>Each field that the schema knows, with each odd value, doubled, and beside one that it does not know.</summary>
    public static IEnumerable<(string Name, byte[] Body)> Of(JsonNode schema) =>
        Texts(schema, value => value).Select(text => (Short(text), Bytes(text)));

    private static readonly string[] Values =
    [
        "null",
        "true",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        "{\"\":null}",
        "{\"\":\"\"}",
        "{\"A=B\":\"\"}",
        "{\"\\ud800\":\"\"}",
        "{\"A\":\"a\",\"A\":\"b\"}",
        "0",
        "-1",
        "1.5",
        "1.0",
        "-0.0",
        "1e400",
        "1e-400",
        "2147483648",
        "99999999999999999999",
        $"1{new string('0', 5000)}",
        "\"\"",
        "\" \"",
        "\"1\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"a\\r\\nb: c\"",
        "\"\\uffff\"",
        "\"\u202e\"",
        "\"ü😀\"",
        $"\"{NoUtf8}\"",
        "\"../../etc/passwd\"",
        "\"/\"",
        "\"%00\"",
        "\"*\"",
        $"\"{new string('x', 3000)}\"",
        $"\"/{string.Concat(Enumerable.Repeat("a/", 3000))}a\"",
    ];

    /// <summary>What a field needs beside it to be looked at, by name.</summary>
    private static readonly Dictionary<string, string> Beside = new()
    {
        ["command"] = "\"true\"",
        ["content"] = "\"\"",
        ["host"] = "\"a.example\"",
        ["path"] = "\"/home/user/a\"",
        ["port"] = "1",
        ["viewer"] = "\"v\"",
    };

    private static IEnumerable<string> Texts(JsonNode schema, Func<string, string> wrap)
    {
        schema = ApiOperation.Resolve(schema);
        foreach (var (name, field) in schema["properties"]?.AsObject() ?? [])
        {
            var others = string.Concat(
                schema["properties"]!
                    .AsObject()
                    .Where(p => p.Key != name && Beside.ContainsKey(p.Key))
                    .Select(p => $",\"{p.Key}\":{Beside[p.Key]}")
            );
            string With(string value) => wrap($"{{\"{name}\":{value}{others}}}");
            yield return wrap($"{{\"{name}\":null,\"{name}\":null{others}}}");
            yield return wrap($"{{\"{name}\":null,\"oriel-unknown\":null{others}}}");
            foreach (var text in Values.Select(With).Concat(Texts(field!, With)))
            {
                yield return text;
            }
        }

        if (schema["items"] is { } items)
        {
            foreach (var text in Values.Select(value => wrap($"[{value}]")).Concat(Texts(items, value => wrap($"[{value}]"))))
            {
                yield return text;
            }
        }

        if (schema["additionalProperties"] is JsonObject)
        {
            foreach (var value in Values)
            {
                yield return wrap($"{{\"A\":{value}}}");
            }
        }
    }

    private static byte[] Bytes(string text) =>
        [.. text.Split(NoUtf8).SelectMany((part, i) => (byte[])[.. i == 0 ? [] : (byte[])[0xff], .. Encoding.UTF8.GetBytes(part)])];

    private static string Short(string text) => text.Length <= 100 ? text : $"{text[..80]}… ({text.Length})";
}
