using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Oriel.Desktops.Drivers;
using Oriel.Desktops.Templates;
using Oriel.Images;

namespace Oriel.Desktops.Snapshots;

/// <summary>
/// Machines at the barrier, kept beside their image: whoever needs a desktop of that template goes on from there instead of booting. One that was
/// made by another VMM, on another processor or for another machine has another name, so that it is never found where it does not fit.
/// </summary>
public sealed class GoldenSnapshots(DesktopDriver driver, ImageStore images)
{
    private const string Folder = "snapshots", ManifestName = "snapshot.json", UnfinishedPrefix = ".making-";
    private readonly string _host = driver.Vmm is { } vmm ? Host(driver, vmm) : "";

    /// <summary>Whether this node's driver can make and restore them.</summary>
    public bool ArePossible => driver.Vmm is not null;

    /// <returns>Null when there is none that fits this host.</returns>
    public GoldenSnapshot? Find(DesktopTemplate template, ImageManifest image)
    {
        if (!ArePossible)
        {
            return null;
        }

        var directory = PathOf(template, image);
        var file = Path.Combine(directory, ManifestName);
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            var manifest = JsonSerializer.Deserialize(File.ReadAllBytes(file), SnapshotJsonContext.Default.SnapshotManifest);
            return manifest is { AgentKey.Length: 32 } ? new GoldenSnapshot(directory, manifest.AgentKey) : null;
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>An empty directory to make one in; what an earlier try left is removed.</summary>
    /// <exception cref="IOException">The store cannot be written.</exception>
    internal string Begin(DesktopTemplate template, ImageManifest image)
    {
        var root = Path.Combine(images.PathOf(image.Digest), Folder);
        if (Directory.Exists(root))
        {
            foreach (var left in Directory.EnumerateDirectories(root, UnfinishedPrefix + "*"))
            {
                Remove(left);
            }
        }

        return Directory.CreateDirectory(
            Path.Combine(root, UnfinishedPrefix + Path.GetFileName(PathOf(template, image))), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
    }

    /// <summary>Makes what was begun findable: whole, by one rename.</summary>
    /// <param name="agentKey">That the machine's agent knows; each desktop that goes on from it gives it another at once.</param>
    internal void Complete(string directory, DesktopTemplate template, ImageManifest image, byte[] agentKey, DateTimeOffset now)
    {
        var manifest = new SnapshotManifest(image.Digest, driver.Name, _host, Machine(template), now, agentKey);
        var file = Path.Combine(directory, ManifestName);
        using (var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            JsonSerializer.Serialize(stream, manifest, SnapshotJsonContext.Default.SnapshotManifest);
        }

        Directory.Move(directory, PathOf(template, image));
    }

    /// <summary>
    /// One that could not be restored is not tried again; the pool makes another. Of several who discard the same one, the first takes it out of
    /// everybody's sight before anything in it is deleted. What cannot be removed stays, and is not an error of whoever found it unusable.
    /// </summary>
    internal static void Discard(GoldenSnapshot snapshot)
    {
        var doomed = Path.Combine(
            Path.GetDirectoryName(snapshot.Directory)!, $"{UnfinishedPrefix}{Path.GetFileName(snapshot.Directory)}-{Guid.NewGuid():n}");
        try
        {
            Directory.Move(snapshot.Directory, doomed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return;
        }

        Remove(doomed);
    }

    /// <summary>Whoever else removes it at the same time may be the one who does.</summary>
    private static void Remove(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next that is begun tries again.
        }
    }

    private static string Machine(DesktopTemplate template) => string.Create(
        CultureInfo.InvariantCulture,
        $"{template.Limits.MemoryBytes} {template.Limits.Cpus} {template.Limits.DiskBytes} {template.Width}x{template.Height}");

    private static string Host(DesktopDriver driver, string vmm)
    {
        var program = File.Exists(vmm) ? string.Create(CultureInfo.InvariantCulture, $"{new FileInfo(vmm).Length} {File.GetLastWriteTimeUtc(vmm):O}") : "none";
        var processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) ?? "";
        return $"{driver.Name} {driver.Accelerator} {program} {processor}";
    }

    private string PathOf(DesktopTemplate template, ImageManifest image) => Path.Combine(
        images.PathOf(image.Digest),
        Folder,
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{_host}\n{Machine(template)}")))[..16]);
}

/// <param name="AgentKey">Of the machine as it was kept.</param>
public sealed record GoldenSnapshot(string Directory, byte[] AgentKey);

/// <param name="Host">VMM and processor that it was made with, as far as it must be the same again.</param>
/// <param name="Machine">Memory, processors, disk and screen.</param>
internal sealed record SnapshotManifest(string ImageDigest, string Driver, string Host, string Machine, DateTimeOffset CreatedAt, byte[] AgentKey);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(SnapshotManifest))]
internal sealed partial class SnapshotJsonContext : JsonSerializerContext;
