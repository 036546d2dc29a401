using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Node;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;
using Oriel.Protocol;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Snapshots;

/// <summary>
/// Machines at the barrier, saved beside their image: a desktop of that template is restored from there instead of booted. One
/// that does not fit this host, or is not whole, is refused with a reason; the pool makes another and then removes it. Safe for concurrent
/// use.
/// </summary>
public sealed class GoldenSnapshots(DesktopDriver driver, ImageStore images, ILogger<GoldenSnapshots> logger)
{
    private const string UnfinishedPrefix = ".making-";
    private const int NameLength = 8;

    private readonly SnapshotUses _uses = new();
    private readonly ConcurrentDictionary<string, bool> _told = new();
    private Task<HostFingerprint>? _host;

    /// <summary>Of the snapshots that desktops of this server go on from.</summary>
    internal SharedMemories Memories { get; } = new();

    /// <summary>Whether this node's driver can make and restore them.</summary>
    public bool ArePossible => driver.Vmm is not null;

    /// <summary>The newest that a desktop of the template can go on from; why another is refused is logged once.</summary>
    internal async Task<SnapshotFinding> FindAsync(DesktopTemplate template, ImageManifest image, CancellationToken cancellationToken)
    {
        var judged = await JudgeAsync(template, image, cancellationToken);
        foreach (var one in judged)
        {
            if (one.Refusal is not null && _told.TryAdd($"{one.Directory} {one.Refusal}", true))
            {
                logger.LogWarning("The snapshot {Snapshot} is not used: {Reason}", one.Directory, one.Refusal);
            }
        }

        return judged.FirstOrDefault(one => one.Refusal is null) is { } fitting
            ? new SnapshotFinding(new GoldenSnapshot(fitting.Directory, fitting.Manifest!.AgentKey), null)
            : new SnapshotFinding(null, judged is [var newest, ..] ? newest.Refusal : null);
    }

    /// <summary>Whether any lies beside the image, for whatever host.</summary>
    public static bool Exist(ImageStore images, ImageManifest image) => Kept(RootOf(images, image)).Count > 0;

    /// <summary>Whether desktops of both go on from the same one.</summary>
    public static bool AreShared(DesktopTemplate one, DesktopTemplate other) =>
        one.Image == other.Image && MachineOf(one) == MachineOf(other);

    /// <summary>All that lie beside the image, newest first, whatever they were made for.</summary>
    public async Task<IReadOnlyList<SnapshotSummary>> ListAsync(ImageManifest image, CancellationToken cancellationToken)
    {
        var host = await HostAsync(cancellationToken);
        return
        [
            .. Kept(RootOf(images, image))
                .Select(one => new SnapshotSummary(
                    one.Manifest?.Driver,
                    one.Manifest?.Accelerator,
                    one.Manifest?.Machine,
                    one.Manifest?.Host.Vmm,
                    one.Manifest?.Host.Cpu,
                    one.Manifest?.Host.Kernel,
                    one.Manifest?.CreatedAt,
                    one.Manifest?.Files.Values.Sum() ?? 0,
                    one.Problem ?? Misfit(one.Manifest!, image, host)
                )),
        ];
    }

    /// <summary>Removes those of the template that are refused, once nothing is being restored from them any more.</summary>
    internal async Task RemoveRefusedAsync(DesktopTemplate template, ImageManifest image, CancellationToken cancellationToken)
    {
        foreach (var one in await JudgeAsync(template, image, cancellationToken))
        {
            // The folder itself stands for what cannot be read, and stays.
            if (one.Refusal is not null && one.Directory != RootOf(images, image))
            {
                _uses.WhenFree(one.Directory, () => Discard(one.Directory));
            }
        }
    }

    /// <summary>Keeps the snapshot from being removed until disposed.</summary>
    /// <returns>To be disposed when the machine has what it needs of it, or has ended.</returns>
    internal IDisposable Use(GoldenSnapshot snapshot) => _uses.Take(snapshot.Directory);

    /// <summary>An empty directory to make one in; what an earlier try left is removed.</summary>
    /// <exception cref="IOException">The store cannot be written.</exception>
    internal string Begin(ImageManifest image)
    {
        var root = RootOf(images, image);
        if (Directory.Exists(root))
        {
            foreach (var left in Directory.EnumerateDirectories(root, UnfinishedPrefix + "*"))
            {
                Remove(left);
            }
        }

        var name = UnfinishedPrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(NameLength));
        return Directory
            .CreateDirectory(Path.Combine(root, name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)
            .FullName;
    }

    /// <summary>Makes what was begun findable: whole, by one rename.</summary>
    /// <param name="agentKey">The key that the machine's agent knows; each desktop that is restored from it replaces it first.</param>
    /// <returns>Where it is from now on.</returns>
    internal async Task<string> CompleteAsync(
        string directory,
        DesktopTemplate template,
        ImageManifest image,
        byte[] agentKey,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var files = new DirectoryInfo(directory)
            .EnumerateFiles()
            .ToDictionary(file => file.Name, file => file.Length, StringComparer.Ordinal);
        var host =
            await HostAsync(cancellationToken) ?? throw new InvalidOperationException($"The driver {driver.Name} keeps no machines.");
        var manifest = new SnapshotManifest(
            image.Digest,
            driver.Name,
            driver.Accelerator,
            host,
            MachineOf(template),
            image.Disks,
            files,
            now,
            agentKey
        );
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        await using (var stream = new FileStream(new SnapshotDirectory(directory).Manifest, options))
        {
            await JsonSerializer.SerializeAsync(stream, manifest, SnapshotJsonContext.Default.SnapshotManifest, cancellationToken);
        }

        var place = Path.Combine(Path.GetDirectoryName(directory)!, Path.GetFileName(directory)[UnfinishedPrefix.Length..]);
        Directory.Move(directory, place);
        return place;
    }

    /// <summary>Removes what was begun and will not be completed; what cannot be removed now is when the next one is begun.</summary>
    /// <param name="directory">As <see cref="Begin"/> gave it; nothing may write to it any more. One that is not there is no error.</param>
    internal static void Abandon(string directory) => Remove(directory);

    /// <summary>One that could not be restored is not tried again; the pool makes another.</summary>
    internal static void Discard(GoldenSnapshot snapshot) => Discard(snapshot.Directory);

    /// <summary>
    /// Of several who discard the same one, the first takes it out of everybody's sight before anything in it is deleted. What cannot be
    /// removed stays, and is not an error of whoever found it unusable.
    /// </summary>
    private static void Discard(string directory)
    {
        var doomed = Path.Combine(Path.GetDirectoryName(directory)!, $"{UnfinishedPrefix}{Path.GetFileName(directory)}-{Guid.NewGuid():n}");
        try
        {
            Directory.Move(directory, doomed);
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

    private static SnapshotMachine MachineOf(DesktopTemplate template) =>
        new(template.Limits.MemoryBytes, template.Limits.Cpus, template.Limits.DiskBytes, template.Width, template.Height);

    private static string RootOf(ImageStore images, ImageManifest image) => images.DirectoryOf(image.Digest).Snapshots;

    /// <summary>Asked again when the program has been replaced: a desktop is started with the one of now.</summary>
    private async Task<HostFingerprint?> HostAsync(CancellationToken cancellationToken)
    {
        if (driver.Vmm is not { } vmm)
        {
            return null;
        }

        if (_host is not { IsCompletedSuccessfully: true } || !(await _host).IsOf(vmm))
        {
            _host = HostFingerprint.ReadAsync(vmm, CancellationToken.None);
        }

        return await _host.WaitAsync(cancellationToken);
    }

    /// <summary>Those that were made for such a machine, and those of which nobody can tell what for; newest first.</summary>
    private async Task<IReadOnlyList<Judged>> JudgeAsync(DesktopTemplate template, ImageManifest image, CancellationToken cancellationToken)
    {
        if (await HostAsync(cancellationToken) is not { } host)
        {
            return [];
        }

        var machine = MachineOf(template);
        return
        [
            .. Kept(RootOf(images, image))
                .Where(one =>
                    one.Manifest is null
                    || (
                        one.Manifest.Driver == driver.Name
                        && one.Manifest.Accelerator == driver.Accelerator
                        && one.Manifest.Machine == machine
                    )
                )
                .Select(one => new Judged(one.Directory, one.Manifest, one.Problem ?? Misfit(one.Manifest!, image, host))),
        ];
    }

    /// <summary>Newest first. An unreadable folder is listed as one snapshot of unknown purpose.</summary>
    private static IReadOnlyList<(string Directory, SnapshotManifest? Manifest, string? Problem)> Kept(string folder)
    {
        var root = new DirectoryInfo(folder);
        try
        {
            return !root.Exists
                ? []
                :
                [
                    .. root.EnumerateDirectories()
                        .Where(one => !one.Name.StartsWith(UnfinishedPrefix, StringComparison.Ordinal))
                        .Select(one => Read(one.FullName))
                        // Unless it has just been discarded.
                        .Where(one => one.Problem is null || Directory.Exists(one.Directory))
                        .OrderByDescending(one => one.Manifest?.CreatedAt)
                        .ThenBy(one => one.Directory, StringComparer.Ordinal),
                ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [(folder, null, $"it cannot be read: {e.Message}")];
        }
    }

    private static (string Directory, SnapshotManifest? Manifest, string? Problem) Read(string directory)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize(
                File.ReadAllBytes(new SnapshotDirectory(directory).Manifest),
                SnapshotJsonContext.Default.SnapshotManifest
            );
            return manifest is { AgentKey.Length: GuestRules.KeyBytes }
                ? (directory, manifest, FileProblem(directory, manifest))
                : (directory, null, "its manifest names no agent key");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException or ArgumentException)
        {
            return (directory, null, $"its manifest cannot be read: {e.Message}");
        }
    }

    private static string? FileProblem(string directory, SnapshotManifest manifest)
    {
        foreach (var (name, size) in manifest.Files)
        {
            var file = new FileInfo(Path.Combine(directory, Path.GetFileName(name)));
            if (!file.Exists || file.Length != size)
            {
                return file.Exists ? $"its file '{name}' has {file.Length} bytes instead of {size}" : $"its file '{name}' is missing";
            }
        }

        return manifest.Files.Count == 0 ? "it has no files" : null;
    }

    private string? Misfit(SnapshotManifest manifest, ImageManifest image, HostFingerprint? host)
    {
        if (host is null || manifest.Driver != driver.Name || manifest.Accelerator != driver.Accelerator)
        {
            return $"made with the driver {Words(manifest.Driver, manifest.Accelerator)}, this server has {Words(driver.Name, driver.Accelerator)}";
        }

        return manifest.ImageDigest != image.Digest ? $"made from the image {manifest.ImageDigest}"
            : manifest.Disks != image.Disks
                ? $"made with the image's previous disks (kernel {manifest.Disks?.KernelRelease ?? "none"}), which are others now (kernel {image.Disks?.KernelRelease ?? "none"})"
            : host.MisfitOf(manifest.Host, dependsOnProcessors: manifest.Machine.Cpus <= 0);
    }

    private static string Words(string driver, string? accelerator) => accelerator is null ? driver : $"{driver} ({accelerator})";

    private sealed record Judged(string Directory, SnapshotManifest? Manifest, string? Refusal);
}
