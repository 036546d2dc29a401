using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Oriel.Desktops.Node;
using Oriel.Desktops.Snapshots;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Images;
using Spectre.Console;

namespace Oriel.Server.Commands;

/// <summary>How images are shown, and which of them a desktop's directory names.</summary>
internal static class ImageList
{
    /// <summary>With their snapshots.</summary>
    /// <param name="driver">Whose server the snapshots are judged for. Asked only where there are any, as finding it out starts
    /// programs.</param>
    /// <returns>Nothing, and why, where there is no such driver.</returns>
    public static async Task<(IReadOnlyList<ListedImage> Images, string? Problem)> ReadAsync(
        ImageStore store,
        Func<Task<(DesktopDriver? Driver, string? Problem)>> driver,
        CancellationToken cancellationToken
    )
    {
        var images = store.List();
        if (!images.Any(image => GoldenSnapshots.Exist(store, image)))
        {
            return ([.. images.Select(image => new ListedImage(image, []))], null);
        }

        var (chosen, problem) = await driver();
        if (chosen is null)
        {
            return ([], problem);
        }

        var snapshots = new GoldenSnapshots(chosen, store, NullLogger<GoldenSnapshots>.Instance);
        var listed = new List<ListedImage>();
        foreach (var image in images)
        {
            listed.Add(new ListedImage(image, await snapshots.ListAsync(image, cancellationToken)));
        }

        return (listed, null);
    }

    public static Table Table(IReadOnlyList<ListedImage> images)
    {
        var table = new Table().AddColumns("Name", "Digest", "Built", "Size", "Packages", "State");
        foreach (var (image, snapshots) in images)
        {
            table.AddRow(
                Markup.Escape(image.Name),
                image.Digest[..19],
                TimeOf(image.CreatedAt),
                SizeOf(image.Size),
                image.Packages.Count.ToString(CultureInfo.InvariantCulture),
                Markup.Escape(StateOf(image))
            );
            foreach (var one in snapshots)
            {
                table.AddRow(
                    "  snapshot",
                    Markup.Escape(MachineOf(one)),
                    one.CreatedAt is { } at ? TimeOf(at) : "",
                    SizeOf(one.Size),
                    "",
                    Markup.Escape(one.Refused is null ? "usable" : $"not used: {one.Refused}")
                );
            }
        }

        return table;
    }

    public static void WriteJson(IReadOnlyList<ListedImage> images, Stream output)
    {
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        writer.WriteStartArray();
        foreach (var (image, snapshots) in images)
        {
            writer.WriteStartObject();
            writer.WriteString("name", image.Name);
            writer.WriteString("digest", image.Digest);
            writer.WriteString("createdAt", image.CreatedAt);
            writer.WriteNumber("size", image.Size);
            writer.WriteNumber("packages", image.Packages.Count);
            writer.WriteBoolean("usable", image.Usable);
            writer.WriteString("state", StateOf(image));
            writer.WritePropertyName("snapshots");
            JsonSerializer.Serialize(writer, snapshots, ImagesApiJsonContext.Default.IReadOnlyListSnapshotSummary);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>Whether a desktop was made from this image: its spec has the digest, even one that no keeper could run by.</summary>
    public static bool IsInUse(DataLayout layout, string digest) =>
        layout
            .Bundles()
            .Any(bundle => File.Exists(bundle.Spec) && File.ReadAllText(bundle.Spec).Contains(digest, StringComparison.Ordinal));

    private static string TimeOf(DateTimeOffset at) => at.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static string SizeOf(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0} MB");

    private static string MachineOf(SnapshotSummary snapshot) =>
        snapshot is { Machine: { } machine, Driver: { } driver }
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{driver} {snapshot.Accelerator} {machine.Width}x{machine.Height}, {(machine.MemoryBytes > 0 ? $"{machine.MemoryBytes >> 20} MiB" : "default memory")}"
            )
            : "";

    private static string StateOf(ImageManifest image) =>
        image.BootTest switch
        {
            { Passed: true } => "usable",
            { } failed => $"failed: {failed.Reason}",
            null => "no boot test",
        };
}

/// <param name="Snapshots">Newest first.</param>
internal sealed record ListedImage(ImageManifest Image, IReadOnlyList<SnapshotSummary> Snapshots);
