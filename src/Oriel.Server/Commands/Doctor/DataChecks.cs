using System.Globalization;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Server.Commands.Doctor;

/// <summary>The data directory and what is in it. Nothing is made there that was not: it may be a mistyped name.</summary>
internal static class DataChecks
{
    private const string Missing = "does not exist yet: ./oriel up makes it";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    public static DoctorFinding Directory(string data) =>
        System.IO.Directory.Exists(data)
            ? DoctorFinding.Ok("data directory", data)
            : DoctorFinding.Ok("data directory", $"{data} {Missing}");

    /// <summary>On the file system of the data directory, as it depends on that (not on NFS, not on an overlay).</summary>
    public static async Task<DoctorFinding> OverlayAsync(string data, CancellationToken cancellationToken)
    {
        const string Name = "overlay in a user namespace";
        const string Script = """
            set -e
            cd "$1"
            mkdir lower upper work merged
            echo old > lower/file
            mount -t overlay overlay -o userxattr,lowerdir=lower,upperdir=upper,workdir=work merged
            echo new > merged/file
            test "$(cat lower/file)" = old
            umount merged
            """;
        var home = Existing(data);
        var place = Path.Combine(home, ".doctor-" + Guid.NewGuid().ToString("n"));
        try
        {
            System.IO.Directory.CreateDirectory(place);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return home == data
                ? DoctorFinding.Fail(
                    Name,
                    $"{data}: {e.Message}",
                    $"give the folder to {Environment.UserName}, who runs Oriel, or take --data elsewhere"
                )
                : DoctorFinding.Ok(Name, $"not tried: {data} {Missing}, and {Environment.UserName} may not write to {home}");
        }

        try
        {
            var tried = await HostProbe.RunAsync(
                Deadline,
                cancellationToken,
                "unshare",
                "--map-root-user",
                "--map-auto",
                "--mount",
                "sh",
                "-c",
                Script,
                "overlay",
                place
            );
            return tried.Succeeded
                ? DoctorFinding.Ok(Name, $"works in {home}")
                : DoctorFinding.Fail(
                    Name,
                    tried.FirstLine,
                    $"keep the data on ext4, xfs, btrfs or tmpfs (--data); {home} may be on NFS or on an overlay"
                );
        }
        finally
        {
            await RemoveAsync(place);
        }
    }

    /// <summary>In a namespace, where what the overlay made belongs to us; without one there is nothing but our own.</summary>
    private static async Task RemoveAsync(string place)
    {
        var removed = await HostProbe.RunAsync(
            Deadline,
            CancellationToken.None,
            "unshare",
            "--map-root-user",
            "--map-auto",
            "rm",
            "-rf",
            place
        );
        if (!removed.Succeeded && System.IO.Directory.Exists(place))
        {
            System.IO.Directory.Delete(place, recursive: true);
        }
    }

    public static DoctorFinding Disk(string data) => Disk(data, new DriveInfo(Existing(data)).AvailableFreeSpace);

    /// <param name="free">Bytes.</param>
    internal static DoctorFinding Disk(string data, long free)
    {
        const string Name = "disk";
        const long Least = 2L << 30;
        const long Comfortable = 8L << 30;
        var seen = string.Create(CultureInfo.InvariantCulture, $"{free / (double)(1 << 30):0.0} GiB free at {data}");
        const string Mend =
            "a golden image takes 1 GiB (6 GiB must be free while it is built), a desktop what it writes: make room or take --data elsewhere";
        return free < Least ? DoctorFinding.Fail(Name, seen, Mend)
            : free < Comfortable ? DoctorFinding.Warn(Name, seen, Mend)
            : DoctorFinding.Ok(Name, seen);
    }

    public static DoctorFinding Image(string data, TimeProvider? clock = null)
    {
        const string Name = "golden image";
        var store = new ImageStore(new DataLayout(data).Images);
        var images = store.List();
        if (images.FirstOrDefault(store.IsUsable) is { } image)
        {
            var seen = $"{image.Name} {image.Digest[..19]} of {image.CreatedAt:yyyy-MM-dd}, {image.Packages.Count} packages";
            return image.IsOld((clock ?? TimeProvider.System).GetUtcNow())
                ? DoctorFinding.Warn(
                    Name,
                    $"{seen}: older than {ImageManifest.MaxAge.TotalDays:0} days, so security fixes are missing in it",
                    "./oriel image build images/desktop --update; new desktops then start from the new image"
                )
                : DoctorFinding.Ok(Name, seen);
        }

        return images switch
        {
            [{ BootTest: { } test } failed, ..] => DoctorFinding.Fail(
                Name,
                $"failed its boot test: {test.Reason}",
                $"that is the cause: see docs/troubleshooting.md for the step that it names. Once it is mended: ./oriel image test {failed.Name}"
            ),
            [var untested, ..] => DoctorFinding.Fail(Name, "it has had no boot test", $"./oriel image test {untested.Name}"),
            _ => DoctorFinding.Warn(Name, "none yet", "./oriel up builds it"),
        };
    }

    public static DoctorFinding Fonts(string data)
    {
        const string Name = "fonts of the desktop";
        var store = new ImageStore(new DataLayout(data).Images);
        if (store.List().FirstOrDefault(store.IsUsable) is not { } image)
        {
            return DoctorFinding.Warn(Name, "no image to look into", "./oriel up builds it (the host's own fonts do not matter)");
        }

        var names = image.Packages.Select(package => package.Name).ToHashSet(StringComparer.Ordinal);
        string[] missing =
        [
            .. new[] { "fonts-dejavu-core", "fonts-noto-cjk", "fonts-noto-color-emoji" }.Where(font => !names.Contains(font)),
        ];
        return missing.Length == 0
            ? DoctorFinding.Ok(Name, "Latin, Chinese, Japanese, Korean, emoji")
            : DoctorFinding.Warn(
                Name,
                $"without {string.Join(", ", missing)}",
                "add them to packages.txt of the recipe and build it again"
            );
    }

    /// <summary>The directory, or the nearest above it that there is.</summary>
    internal static string Existing(string path)
    {
        var existing = Path.GetFullPath(path);
        while (!System.IO.Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing)!;
        }

        return existing;
    }
}
