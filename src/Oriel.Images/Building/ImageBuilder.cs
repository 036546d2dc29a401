using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Oriel.Images.Disks;
using Oriel.Images.Store;
using Oriel.Images.Tools;
using Oriel.Protocol.Layout;

namespace Oriel.Images.Building;

/// <param name="Agent">Path of the oriel-agent to bake in, or null for none.</param>
/// <param name="AgentVersion">What the manifest says of it.</param>
/// <param name="Name">Of the image; default: the recipe's.</param>
/// <param name="Update">Take every package anew from its archive, also where the base of an earlier build is there.</param>
public sealed record ImageBuildRequest(ImageRecipe Recipe, string? Agent, string AgentVersion, string? Name = null, bool Update = false);

/// <summary>
/// The one builder of golden images. As an ordinary user: mmdebstrap in a user namespace makes the base (kept in the cache), which is
/// unpacked, overlaid and customised in a directory of the store that is renamed to its digest at the very end.
/// </summary>
public sealed class ImageBuilder(ImageStore store, string cachePath, TimeProvider clock, Action<string> report)
{
    /// <summary>Base tar, its unpacked tree, the root disk and mmdebstrap's own, with room to spare.</summary>
    private const long NeededBytes = 6L << 30;

    /// <exception cref="CommandFailedException">A tool failed; nothing is left behind.</exception>
    /// <exception cref="ImageBuildException">It cannot be built here and now; the message says why.</exception>
    public async Task<ImageManifest> BuildAsync(ImageBuildRequest request, CancellationToken cancellationToken)
    {
        if (Environment.IsPrivilegedProcess)
        {
            throw new ImageBuildException(
                "An image is built by an ordinary user with subordinate ids, never by root: use ./oriel, which drops to such a user."
            );
        }

        Directory.CreateDirectory(store.Path);
        Directory.CreateDirectory(cachePath);
        using var theOnlyBuilder = Lock();
        await RemoveLeftoversAsync(cancellationToken);
        RequireSpace();
        var building = Path.Combine(store.Path, ImageStore.BuildingPrefix + Guid.NewGuid().ToString("n"));
        Directory.CreateDirectory(building);
        try
        {
            await using var room = BootstrapRoom.Create(building, store.Path);
            var tar = await BaseTarAsync(request, building, room, cancellationToken);
            var root = new ImageDirectory(building).Tree;
            await StepAsync("unpack", () => UnpackAsync(tar, root, cancellationToken));
            await StepAsync("files", () => LayFilesAsync(request, root, cancellationToken));
            await StepAsync(
                "customise",
                () => ImageChroot.RunAsync(root, Path.Combine(request.Recipe.Path, "customise"), report, cancellationToken)
            );
            var tree = await StepAsync("digest", () => TreeDigest.OfDirectoryAsync(root, cancellationToken));
            var packages = await PackagesAsync(root, cancellationToken);
            var disks = request.Recipe.KernelHash is { } kernel
                ? await DisksAsync(request.Recipe, kernel, building, room, cancellationToken)
                : null;
            var manifest = new ImageManifest(
                request.Name ?? request.Recipe.Name,
                tree.Digest,
                request.Recipe.Suite,
                request.Recipe.Hash,
                AgentOf(request),
                tree.Size,
                tree.Entries,
                clock.GetUtcNow(),
                packages,
                BootTest: null,
                disks
            );
            return Publish(building, manifest);
        }
        finally
        {
            // Also when cancelled: the clean-up itself must not be.
            await MappedNamespace.RemoveTreeAsync(building, CancellationToken.None);
        }
    }

    /// <summary>The image that this request would make, if it is in the store already.</summary>
    public ImageManifest? FindBuilt(ImageBuildRequest request)
    {
        var agent = AgentOf(request);
        return store
            .List()
            .FirstOrDefault(manifest =>
                manifest.Name == (request.Name ?? request.Recipe.Name)
                && manifest.RecipeHash == request.Recipe.Hash
                && manifest.Agent?.Sha256 == agent?.Sha256
            );
    }

    private static ImageAgent? AgentOf(ImageBuildRequest request)
    {
        if (request.Agent is null)
        {
            return null;
        }

        using var content = File.OpenRead(request.Agent);
        return new ImageAgent(request.AgentVersion, Convert.ToHexStringLower(SHA256.HashData(content)));
    }

    private FileStream Lock()
    {
        try
        {
            return new FileStream(Path.Combine(store.Path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new ImageBuildException($"Another build is running in {store.Path}: wait for it, or end it.");
        }
    }

    /// <summary>What a build or a removal that was killed has left; the caller holds the lock.</summary>
    private async Task RemoveLeftoversAsync(CancellationToken cancellationToken)
    {
        foreach (
            var directory in Directory
                .EnumerateDirectories(store.Path)
                .Where(path =>
                    Path.GetFileName(path) is var name
                    && (
                        name.StartsWith(ImageStore.BuildingPrefix, StringComparison.Ordinal)
                        || name.StartsWith(ImageStore.RemovingPrefix, StringComparison.Ordinal)
                    )
                )
                .Concat(BootstrapRoom.Left(store.Path))
        )
        {
            report($"removing what an ended build left: {directory}");
            await MappedNamespace.RemoveTreeAsync(directory, cancellationToken);
        }
    }

    private void RequireSpace()
    {
        var free = new DriveInfo(store.Path).AvailableFreeSpace;
        if (free < NeededBytes)
        {
            throw new ImageBuildException(
                $"Building an image needs {NeededBytes >> 30} GiB free at {store.Path}; there are {free / (double)(1 << 30):0.0} GiB."
            );
        }
    }

    private async Task<string> BaseTarAsync(
        ImageBuildRequest request,
        string building,
        BootstrapRoom room,
        CancellationToken cancellationToken
    )
    {
        var recipe = request.Recipe;
        var tar = Path.Combine(cachePath, $"base-{recipe.BaseHash}.tar");
        if (File.Exists(tar) && !request.Update)
        {
            report($"base: kept from an earlier build ({tar})");
            return tar;
        }

        // In the build's own directory, so that it goes with it when mmdebstrap fails or is ended.
        var partial = Path.Combine(building, "base.tar");
        List<string> command =
        [
            "env",
            $"TMPDIR={room.Path}",
            "SOURCE_DATE_EPOCH=" + SourceDate,
            "mmdebstrap",
            "--mode=unshare",
            "--variant=minbase",
            "--format=tar",
            "--include=" + string.Join(',', recipe.Packages),
        ];
        command.AddRange((recipe.File.Exclude ?? []).Select(path => $"--dpkgopt=path-exclude={path}"));
        command.AddRange((recipe.File.Include ?? []).Select(path => $"--dpkgopt=path-include={path}"));
        command.AddRange([recipe.Suite, partial, .. recipe.File.Mirrors]);
        await StepAsync("base", () => Command.RunAsync(command, line => ReportPhase("base", line), cancellationToken));
        Keep(partial, tar, "base-*.tar");
        return tar;
    }

    private async Task<ImageDisks> DisksAsync(
        ImageRecipe recipe,
        string kernelHash,
        string building,
        BootstrapRoom room,
        CancellationToken cancellationToken
    )
    {
        var tar = Path.Combine(cachePath, $"kernel-{kernelHash}.tar");
        if (!File.Exists(tar))
        {
            var partial = Path.Combine(building, "kernel.tar");
            var command = KernelPackage.FetchCommand(recipe.File.Kernel!, recipe.Suite, recipe.File.Mirrors, room.Path, partial);
            await StepAsync("kernel", () => Command.RunAsync(command, line => ReportPhase("kernel", line), cancellationToken));
            Keep(partial, tar, "kernel-*.tar");
        }

        return await StepAsync(
            "disks",
            async () =>
            {
                var kernel = await KernelPackage.ReadAsync(tar, cancellationToken);
                report($"kernel {kernel.Release}");
                return await DiskBuilder.BuildAsync(kernel, new ImageDirectory(building), cancellationToken);
            }
        );
    }

    /// <summary>Takes the place of the earlier ones.</summary>
    private void Keep(string partial, string tar, string earlier)
    {
        foreach (var older in Directory.EnumerateFiles(cachePath, earlier))
        {
            File.Delete(older);
        }

        File.Move(partial, tar);
    }

    /// <summary>No file of the base is younger than this (2025-08-09, the day of trixie): the same packages make the same times.</summary>
    private const string SourceDate = "1754697600";

    private static async Task UnpackAsync(string tar, string root, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(root);
        await Command.RunAsync(
            MappedNamespace.Wrap("tar", "--extract", "--numeric-owner", "--file", tar, "--directory", root, "--exclude=./dev/*"),
            null,
            cancellationToken
        );
    }

    private static async Task LayFilesAsync(ImageBuildRequest request, string root, CancellationToken cancellationToken)
    {
        // The recipe's own owners and group bits (of whoever checked it out) must not reach the image.
        const string Script = """
            set -eu
            tar --create --owner=0 --group=0 --mode=u=rwX,go=rX --mtime="@$3" --directory "$1/files" . |
                tar --extract --no-overwrite-dir --directory "$2"
            mkdir -p "$2/usr/lib/oriel"
            [ -z "$4" ] || install --mode=755 --owner=0 --group=0 "$4" "$2/usr/lib/oriel/oriel-agent"
            """;
        await Command.RunAsync(
            MappedNamespace.Wrap(
                "bash",
                "-o",
                "pipefail",
                "-c",
                Script,
                "files",
                request.Recipe.Path,
                root,
                SourceDate,
                request.Agent ?? ""
            ),
            null,
            cancellationToken
        );
    }

    private static async Task<IReadOnlyList<ImagePackage>> PackagesAsync(string root, CancellationToken cancellationToken)
    {
        var list = await Command.ReadAsync(
            MappedNamespace.Wrap("chroot", root, "dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n"),
            cancellationToken
        );
        return
        [
            .. list.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split(' '))
                .Where(fields => fields is ["installed", _, _])
                .Select(fields => new ImagePackage(fields[1], fields[2])),
        ];
    }

    private ImageManifest Publish(string building, ImageManifest manifest)
    {
        var target = store.PathOf(manifest.Digest);
        if (store.Find(manifest.Digest) is { } same)
        {
            report($"the store has {manifest.Digest} already");
            var disks = new ImageDirectory(target).Disks;
            if (manifest.Disks is not null && !Directory.Exists(disks))
            {
                Directory.Move(new ImageDirectory(building).Disks, disks);
            }

            var updated = manifest with { BootTest = same.BootTest, Disks = same.Disks ?? manifest.Disks };
            ImageStore.Write(target, updated);
            return updated;
        }

        if (Directory.Exists(target))
        {
            throw new ImageBuildException($"{target} is in the way: it has no manifest of its own digest. Remove it.");
        }

        ImageStore.Write(building, manifest);
        var temporary = Path.Combine(building, "tmp");
        if (Directory.Exists(temporary))
        {
            Directory.Delete(temporary, recursive: true);
        }

        Directory.Move(building, target);
        return manifest;
    }

    private async Task StepAsync(string name, Func<Task> step) =>
        await StepAsync(
            name,
            async () =>
            {
                await step();
                return true;
            }
        );

    private async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
    {
        var started = Stopwatch.GetTimestamp();
        report($"{name} …");
        var result = await step();
        report(string.Create(CultureInfo.InvariantCulture, $"{name} done in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"));
        return result;
    }

    // mmdebstrap marks its own phases; the thousands of lines of dpkg are for its log.
    private void ReportPhase(string step, string line)
    {
        if (line.StartsWith("I: ", StringComparison.Ordinal))
        {
            report($"{step}: {line[3..]}");
        }
    }
}
