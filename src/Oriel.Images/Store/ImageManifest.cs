using System.Text.Json.Serialization;

namespace Oriel.Images.Store;

/// <summary>
/// What an image is; <c>manifest.json</c> beside its <c>rootfs</c>. The digest names the tree's content, so the manifest is not part of it.
/// </summary>
/// <param name="Digest"><c>sha256:</c> and 64 hex digits, over the canonical listing of the tree (see <see cref="TreeDigest"/>).</param>
/// <param name="RecipeHash">Hash of the recipe's folder; with <paramref name="Agent"/> it says whether a build would make the same image
/// again.</param>
/// <param name="Agent">The agent that was baked in, or null in an image without one.</param>
/// <param name="Size">Bytes of the regular files.</param>
/// <param name="Disks">Null in an image whose recipe names no kernel: only containers start from it.</param>
/// <param name="BootTest">Null until the boot test ran: the image is then not usable.</param>
public sealed record ImageManifest(
    string Name,
    string Digest,
    string Suite,
    string RecipeHash,
    ImageAgent? Agent,
    long Size,
    int Entries,
    DateTimeOffset CreatedAt,
    IReadOnlyList<ImagePackage> Packages,
    ImageBootTest? BootTest,
    ImageDisks? Disks = null
)
{
    /// <summary>Debian's security fixes come every few days, Chromium's each week.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromDays(7);

    /// <summary>Whether fixes of more than a week may be missing in it.</summary>
    public bool IsOld(DateTimeOffset now) => now - CreatedAt > MaxAge;

    [JsonIgnore]
    public bool Usable => BootTest is { Passed: true };
}

/// <param name="Sha256">64 hex digits of the agent's file.</param>
public sealed record ImageAgent(string Version, string Sha256);

public sealed record ImagePackage(string Name, string Version);

/// <param name="Reason">Why it failed, null when it passed.</param>
public sealed record ImageBootTest(bool Passed, DateTimeOffset At, IReadOnlyList<ImageBootStep> Steps, string? Reason);

public sealed record ImageBootStep(string Name, bool Passed, double ElapsedMs, string? Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ImageManifest))]
internal sealed partial class ImagesJsonContext : JsonSerializerContext;
