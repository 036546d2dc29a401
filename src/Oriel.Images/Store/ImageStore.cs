using System.Text.Json;
using Oriel.Images.Tools;
using Oriel.Protocol.Layout;

namespace Oriel.Images.Store;

/// <summary>
/// The golden images of one data directory: <c>&lt;hex&gt;/manifest.json</c> and <c>&lt;hex&gt;/rootfs/</c>. An image appears whole, by a
/// rename, and is never written to afterwards (only its manifest gets the boot test's outcome). Safe for use by several processes.
/// </summary>
public sealed class ImageStore
{
    internal const string BuildingPrefix = ".building-";
    internal const string RemovingPrefix = ".removing-";
    private const string DigestPrefix = "sha256:";
    private const int HexLength = 64;
    private const int MaxManifestBytes = 4 * 1024 * 1024;
    private readonly bool _allowUntested;
    private readonly DiskSeals _diskSeals = new();

    /// <param name="path">The folder <c>images</c> of the data directory; need not exist yet.</param>
    /// <param name="allowUntested">Take images without a boot test for usable; default: what the environment's ORIEL_ALLOW_UNTESTED_IMAGE=1
    /// says.</param>
    public ImageStore(string path, bool? allowUntested = null)
    {
        Path = System.IO.Path.GetFullPath(path);
        _allowUntested = allowUntested ?? Environment.GetEnvironmentVariable("ORIEL_ALLOW_UNTESTED_IMAGE") == "1";
    }

    public string Path { get; }

    /// <summary>
    /// All whole images, newest first. A directory without a readable manifest of its own digest is no image and is passed over.
    /// </summary>
    public IReadOnlyList<ImageManifest> List()
    {
        if (!Directory.Exists(Path))
        {
            return [];
        }

        var found = new List<ImageManifest>();
        foreach (var directory in Directory.EnumerateDirectories(Path))
        {
            if (Read(directory) is { } manifest)
            {
                found.Add(manifest);
            }
        }

        return [.. found.OrderByDescending(manifest => manifest.CreatedAt).ThenBy(manifest => manifest.Digest, StringComparer.Ordinal)];
    }

    /// <summary>By digest (with or without <c>sha256:</c>, or at least 8 of its first digits) or, newest first, by name.</summary>
    public ImageManifest? Find(string nameOrDigest)
    {
        ArgumentNullException.ThrowIfNull(nameOrDigest);
        var all = List();
        var hex = nameOrDigest.StartsWith(DigestPrefix, StringComparison.Ordinal) ? nameOrDigest[DigestPrefix.Length..] : nameOrDigest;
        return all.FirstOrDefault(manifest => manifest.Name == nameOrDigest)
            ?? (hex.Length >= 8 ? all.FirstOrDefault(manifest => HexOf(manifest.Digest).StartsWith(hex, StringComparison.Ordinal)) : null);
    }

    /// <summary>The newest image of that name whose boot test has passed.</summary>
    public ImageManifest? FindUsable(string name) => List().FirstOrDefault(manifest => manifest.Name == name && IsUsable(manifest));

    /// <summary>Boot test passed, or untested ones are allowed and it did not fail.</summary>
    public bool IsUsable(ImageManifest manifest) => manifest.Usable || (_allowUntested && manifest.BootTest is null);

    /// <summary>The image's directory, the one that holds <c>rootfs</c>, whether or not it is there.</summary>
    /// <exception cref="FormatException">Not a digest.</exception>
    public string PathOf(string digest)
    {
        var hex = HexOf(digest);
        return hex.Length == HexLength && !hex.AsSpan().ContainsAnyExcept("0123456789abcdef")
            ? System.IO.Path.Combine(Path, hex)
            : throw new FormatException($"'{digest}' is not an image digest (sha256: and 64 hex digits).");
    }

    /// <summary>What is in it, as <see cref="PathOf"/>.</summary>
    /// <exception cref="FormatException">Not a digest.</exception>
    public ImageDirectory DirectoryOf(string digest) => new(PathOf(digest));

    /// <summary>
    /// Whether the disks of an image are as they were made. A file is read once, and again only when it was touched since.
    /// </summary>
    /// <returns>What is wrong, or null.</returns>
    public Task<string?> VerifyDisksAsync(ImageManifest image, CancellationToken cancellationToken) =>
        CheckDisksAsync(image, _diskSeals, cancellationToken);

    private async Task<string?> CheckDisksAsync(ImageManifest image, DiskSeals seals, CancellationToken cancellationToken)
    {
        if (image.Disks is not { } disks)
        {
            return $"the image {image.Name} has no disks: it was built without a kernel";
        }

        foreach (var disk in disks.All)
        {
            if (await seals.CheckAsync(DirectoryOf(image.Digest).Disks, disk, cancellationToken) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    /// <summary>Reads the whole tree again and compares its digest with its name, and the disks with theirs.</summary>
    public async Task<ImageVerification> VerifyAsync(string digest, CancellationToken cancellationToken)
    {
        var directory = PathOf(digest);
        if (Read(directory) is not { } manifest)
        {
            return new ImageVerification(false, null, "no manifest that can be read");
        }

        var tree = await TreeDigest.OfDirectoryAsync(new ImageDirectory(directory).Tree, cancellationToken);
        if (tree.Digest != manifest.Digest)
        {
            return new ImageVerification(false, tree.Digest, $"the tree's digest is {tree.Digest}: it was changed after the build");
        }

        // Read whole, whatever has been read before.
        var problem = manifest.Disks is null ? null : await CheckDisksAsync(manifest, new DiskSeals(), cancellationToken);
        return new ImageVerification(problem is null, tree.Digest, problem);
    }

    /// <summary>Takes an image away for good.</summary>
    /// <param name="inUse">Whether a desktop still uses the image of this digest; then nothing is removed.</param>
    public async Task<ImageRemoval> RemoveAsync(string nameOrDigest, Func<string, bool> inUse, CancellationToken cancellationToken)
    {
        if (Find(nameOrDigest) is not { } manifest)
        {
            return ImageRemoval.NotFound;
        }

        if (inUse(manifest.Digest))
        {
            return ImageRemoval.InUse;
        }

        var doomed = System.IO.Path.Combine(Path, RemovingPrefix + Guid.NewGuid().ToString("n"));
        Directory.Move(PathOf(manifest.Digest), doomed);
        await MappedNamespace.RemoveTreeAsync(doomed, cancellationToken);
        return ImageRemoval.Removed;
    }

    /// <summary>Puts the boot test's outcome into the manifest, atomically; null = it has had none.</summary>
    /// <exception cref="InvalidOperationException">There is no such image.</exception>
    public ImageManifest RecordBootTest(string digest, ImageBootTest? outcome)
    {
        var directory = PathOf(digest);
        var manifest = (Read(directory) ?? throw new InvalidOperationException($"There is no image {digest}.")) with { BootTest = outcome };
        Write(directory, manifest);
        return manifest;
    }

    internal static void Write(string directory, ImageManifest manifest)
    {
        var target = new ImageDirectory(directory).Manifest;
        var partial = target + ".new";
        File.WriteAllBytes(partial, JsonSerializer.SerializeToUtf8Bytes(manifest, ImagesJsonContext.Default.ImageManifest));
        File.Move(partial, target, overwrite: true);
    }

    internal static string HexOf(string digest) =>
        digest.StartsWith(DigestPrefix, StringComparison.Ordinal) ? digest[DigestPrefix.Length..] : digest;

    private static ImageManifest? Read(string directory)
    {
        try
        {
            var file = new FileInfo(new ImageDirectory(directory).Manifest);
            if (!file.Exists || file.Length > MaxManifestBytes)
            {
                return null;
            }

            var manifest = JsonSerializer.Deserialize(File.ReadAllBytes(file.FullName), ImagesJsonContext.Default.ImageManifest);
            return
                manifest is { Name: not null, Digest: not null, Suite: not null, RecipeHash: not null, Packages: not null }
                && manifest.Packages.All(package => package is { Name: not null, Version: not null })
                && manifest.BootTest is null or { Steps: not null }
                && manifest.Disks
                    is null
                        or {
                            KernelRelease: not null,
                            RootFormat: not null,
                            Kernel: { Name: not null, Sha256: not null },
                            Initramfs: { Name: not null, Sha256: not null },
                            Root: { Name: not null, Sha256: not null }
                        }
                && HexOf(manifest.Digest) == System.IO.Path.GetFileName(directory)
                ? manifest
                : null;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <param name="Actual">The digest of the tree as it is now; null when it could not be read.</param>
/// <param name="Problem">Null when it is intact.</param>
public sealed record ImageVerification(bool Intact, string? Actual, string? Problem);

public enum ImageRemoval
{
    Removed,
    NotFound,
    InUse,
}
