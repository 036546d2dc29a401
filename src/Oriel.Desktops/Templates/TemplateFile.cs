using System.Text.Json;
using System.Text.Json.Serialization;
using Oriel.Egress.Policy;

namespace Oriel.Desktops.Templates;

/// <summary>
/// The operator's templates: <c>templates.json</c> in the data directory, a list; what an entry leaves out is as in the default one.
/// </summary>
public static class TemplateFile
{
    private const int MaxName = 64;
    private const int MaxImage = 128;
    private const string AnyIsolation = "any",
        VmIsolation = "vm";
    private const long LeastDisk = 256L << 20,
        MostDisk = 1L << 40;
    private const int MaxBytes = 4 * 1024 * 1024;

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
            if (new FileInfo(path).Length > MaxBytes)
            {
                throw new IOException($"{path} is larger than {MaxBytes} bytes.");
            }

            var entries = JsonSerializer.Deserialize(File.ReadAllBytes(path), TemplatesJsonContext.Default.ListTemplateEntry) ?? [];
            var templates = entries
                .Select(entry => ToTemplate(entry ?? throw new IOException($"{path}: an entry is null."), Path.GetFileName(path)))
                .ToList();
            RefuseReadablePasswords(path, templates);
            return templates.DistinctBy(t => t.Name).Count() == templates.Count
                ? templates
                : throw new IOException($"{path}: a name is there twice.");
        }
        catch (JsonException e)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>The operator wrote the file, at the mode that their umask gives.</summary>
    private static void RefuseReadablePasswords(string path, IEnumerable<DesktopTemplate> templates)
    {
        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        if (templates.Any(template => template.Egress.Upstream?.Password is not null) && (File.GetUnixFileMode(path) & Others) != 0)
        {
            throw new IOException($"{path} holds an upstream proxy's password and others can read it: chmod 600 {path}");
        }
    }

    private static DesktopTemplate ToTemplate(TemplateEntry entry, string file)
    {
        var d = DesktopTemplate.Default;
        var policy = entry.Egress ?? d.Egress;
        var error =
            (policy.Validate() is { } wrong ? "egress: " + wrong : null)
            ?? (entry.Name.Length is > 0 and <= MaxName ? null : $"name must have 1 to {MaxName} characters")
            ?? (entry.Image is null or { Length: > 0 and <= MaxImage } ? null : $"image must have 1 to {MaxImage} characters")
            ?? Check("width", entry.Width, DesktopTemplate.MinWidth, DesktopTemplate.MaxWidth)
            ?? Check("height", entry.Height, DesktopTemplate.MinHeight, DesktopTemplate.MaxHeight)
            ?? Check("ttl", entry.Ttl, 1, DesktopTemplate.MaxSeconds)
            ?? Check("idleTimeout", entry.IdleTimeout, 1, DesktopTemplate.MaxSeconds)
            ?? Check("idlePause", entry.IdlePause, 1, DesktopTemplate.MaxSeconds)
            ?? Check("warm", entry.Warm, 0, DesktopTemplate.MaxWarm)
            ?? Check("memoryBytes", entry.MemoryBytes, 0, long.MaxValue)
            ?? Check("pids", entry.Pids, 0, long.MaxValue)
            ?? (entry.DiskBytes is null or 0 ? null : Check("diskBytes", entry.DiskBytes, LeastDisk, MostDisk))
            ?? (entry.Isolation is null or AnyIsolation or VmIsolation ? null : $"isolation must be {AnyIsolation} or {VmIsolation}")
            ?? (entry.Cpus is null or >= 0 and < 10_000 ? null : "cpus must be a number of cores, or 0 for no limit");
        return error is not null
            ? throw new IOException($"The template '{entry.Name}' in {file}: {error}.")
            : new DesktopTemplate(
                entry.Name,
                entry.Image ?? d.Image,
                entry.Width ?? d.Width,
                entry.Height ?? d.Height,
                policy,
                new DesktopLimits(
                    entry.MemoryBytes ?? d.Limits.MemoryBytes,
                    entry.Cpus ?? d.Limits.Cpus,
                    entry.Pids ?? d.Limits.Pids,
                    entry.DiskBytes ?? d.Limits.DiskBytes
                ),
                entry.Ttl is { } ttl ? TimeSpan.FromSeconds(ttl) : null,
                entry.IdleTimeout is { } idle ? TimeSpan.FromSeconds(idle) : null,
                entry.IdlePause is { } pause ? TimeSpan.FromSeconds(pause) : null,
                entry.Warm ?? 0,
                entry.Isolation == VmIsolation
            );
    }

    /// <summary>As the file has it.</summary>
    public static string IsolationOf(DesktopTemplate template) => template.NeedsVm ? VmIsolation : AnyIsolation;

    private static string? Check(string what, long? value, long least, long most) =>
        value is not { } given || (given >= least && given <= most) ? null
        : most == long.MaxValue ? $"{what} must be at least {least}"
        : $"{what} must be {least} to {most}";
}

/// <param name="Ttl">Seconds.</param>
/// <param name="IdleTimeout">Seconds.</param>
/// <param name="IdlePause">Seconds.</param>
/// <param name="Isolation"><c>any</c> (default) or <c>vm</c>: a virtual machine or nothing.</param>
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
    int? IdleTimeout = null,
    int? IdlePause = null,
    int? Warm = null,
    long? DiskBytes = null,
    string? Isolation = null
);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true
)]
[JsonSerializable(typeof(List<TemplateEntry?>))]
internal sealed partial class TemplatesJsonContext : JsonSerializerContext;
