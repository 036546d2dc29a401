using System.Text.Json;
using System.Text.Json.Serialization;
using Oriel.Egress.Policy;

namespace Oriel.Desktops.Templates;

/// <summary>The operator's templates: <c>templates.json</c> in the data directory, a list; what an entry leaves out is as in the default one.</summary>
public static class TemplateFile
{
    public const string Name = "templates.json";

    /// <returns>Nothing when there is no such file.</returns>
    /// <exception cref="IOException">The file is there and is wrong; the message says how.</exception>
    public static IReadOnlyList<DesktopTemplate> Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        try
        {
            var entries = JsonSerializer.Deserialize(File.ReadAllBytes(path), TemplatesJsonContext.Default.ListTemplateEntry) ?? [];
            var templates = entries.Select(ToTemplate).ToList();
            return templates.DistinctBy(t => t.Name).Count() == templates.Count ? templates : throw new IOException($"{path}: a name is there twice.");
        }
        catch (JsonException e)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }
    }

    private static DesktopTemplate ToTemplate(TemplateEntry entry)
    {
        var d = DesktopTemplate.Default;
        var policy = entry.Egress ?? d.Egress;
        return policy.Validate() is { } error
            ? throw new IOException($"The template '{entry.Name}': egress: {error}.")
            : new DesktopTemplate(
                entry.Name,
                entry.Image ?? d.Image,
                entry.Width ?? d.Width,
                entry.Height ?? d.Height,
                policy,
                new DesktopLimits(entry.MemoryBytes ?? d.Limits.MemoryBytes, entry.Cpus ?? d.Limits.Cpus, entry.Pids ?? d.Limits.Pids),
                entry.Ttl is { } ttl ? TimeSpan.FromSeconds(ttl) : null,
                entry.IdleTimeout is { } idle ? TimeSpan.FromSeconds(idle) : null);
    }
}

/// <param name="Ttl">Seconds.</param>
/// <param name="IdleTimeout">Seconds.</param>
internal sealed record TemplateEntry(
    string Name,
    string? Image = null,
    int? Width = null,
    int? Height = null,
    EgressPolicy? Egress = null,
    long? MemoryBytes = null,
    double? Cpus = null,
    long? Pids = null,
    int? Ttl = null,
    int? IdleTimeout = null);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(List<TemplateEntry>))]
internal sealed partial class TemplatesJsonContext : JsonSerializerContext;
