using System.Globalization;
using System.Text.Json;
using Oriel.Images;
using Spectre.Console;

namespace Oriel.Server.Commands;

/// <summary>How images are shown, and which of them a desktop's directory names.</summary>
internal static class ImageList
{
    public static Table Table(IReadOnlyList<ImageManifest> images)
    {
        var table = new Table().AddColumns("Name", "Digest", "Built", "Size", "Packages", "State");
        foreach (var image in images)
        {
            table.AddRow(
                Markup.Escape(image.Name), image.Digest[..19], image.CreatedAt.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
                string.Create(CultureInfo.InvariantCulture, $"{image.Size / 1e6:0} MB"), image.Packages.Count.ToString(CultureInfo.InvariantCulture),
                Markup.Escape(StateOf(image)));
        }

        return table;
    }

    public static void WriteJson(IReadOnlyList<ImageManifest> images, Stream output)
    {
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        writer.WriteStartArray();
        foreach (var image in images)
        {
            writer.WriteStartObject();
            writer.WriteString("name", image.Name);
            writer.WriteString("digest", image.Digest);
            writer.WriteString("createdAt", image.CreatedAt);
            writer.WriteNumber("size", image.Size);
            writer.WriteNumber("packages", image.Packages.Count);
            writer.WriteBoolean("usable", image.Usable);
            writer.WriteString("state", StateOf(image));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>Whether a bundle in <c>desktops/</c> was made from this image: its spec.json has the digest.</summary>
    public static bool IsInUse(string data, string digest)
    {
        var desktops = Path.Combine(data, "desktops");
        return Directory.Exists(desktops) && Directory.EnumerateDirectories(desktops).Any(bundle =>
        {
            var spec = Path.Combine(bundle, "spec.json");
            return File.Exists(spec) && File.ReadAllText(spec).Contains(digest, StringComparison.Ordinal);
        });
    }

    private static string StateOf(ImageManifest image) => image.BootTest switch
    {
        { Passed: true } => "usable",
        { } failed => $"failed: {failed.Reason}",
        null => "no boot test",
    };
}
