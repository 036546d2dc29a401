using System.Text.Json;

namespace Oriel.Protocol.Keeper;

/// <summary>The fields of one JSON object. Each throws <see cref="JsonException"/> where the field is missing or of another kind.</summary>
internal readonly struct JsonFields
{
    private readonly JsonElement _object;

    public JsonFields(JsonElement element) =>
        _object = element.ValueKind == JsonValueKind.Object ? element : throw new JsonException("not an object");

    public string String(string name) => OptionalString(name) ?? throw Unfit(name);

    /// <summary>Null where it is missing, or null.</summary>
    public string? OptionalString(string name) =>
        !_object.TryGetProperty(name, out var field) || field.ValueKind == JsonValueKind.Null ? null
        : field.ValueKind == JsonValueKind.String ? field.GetString()
        : throw Unfit(name);

    /// <param name="absent">Its value where it is missing; null = it must be there.</param>
    public long Number(string name, long? absent = null) =>
        _object.TryGetProperty(name, out var field) ? ToNumber(name, field) : absent ?? throw Unfit(name);

    public int Int(string name, int absent) =>
        Number(name, absent) is >= int.MinValue and <= int.MaxValue and var number ? (int)number : throw Unfit(name);

    /// <summary>An object of numbers only.</summary>
    public Dictionary<string, long> Numbers(string name)
    {
        if (!_object.TryGetProperty(name, out var field) || field.ValueKind != JsonValueKind.Object)
        {
            throw Unfit(name);
        }

        var numbers = new Dictionary<string, long>();
        foreach (var number in field.EnumerateObject())
        {
            numbers[number.Name] = ToNumber(name, number.Value);
        }

        return numbers;
    }

    /// <returns>Which of the words it is, counted from 0.</returns>
    public int OneOf(string name, string[] words) => Array.IndexOf(words, String(name)) is >= 0 and var index ? index : throw Unfit(name);

    private static long ToNumber(string name, JsonElement field) =>
        field.ValueKind == JsonValueKind.Number && field.TryGetInt64(out var number) ? number : throw Unfit(name);

    private static JsonException Unfit(string name) => new($"{name} is missing or of another kind");
}
