using System.Text.Json.Serialization;
using Oriel.Desktops.Node;
using Oriel.Images.Store;

namespace Oriel.Desktops.Snapshots;

/// <summary><c>snapshot.json</c> beside the files of a snapshot; its owner's alone, as it holds a key.</summary>
/// <param name="Driver">As the keeper knows it.</param>
/// <param name="Accelerator">As <see cref="Drivers.DesktopDriver.Accelerator"/>.</param>
/// <param name="Host">Where it was made.</param>
/// <param name="Disks">The image's when it was made: the guest's kernel, and the root disk that the kept memory knows.</param>
/// <param name="Files">Bytes of each file, by name.</param>
/// <param name="AgentKey">That the machine's agent knows.</param>
internal sealed record SnapshotManifest(
    string ImageDigest,
    string Driver,
    string? Accelerator,
    HostFingerprint Host,
    SnapshotMachine Machine,
    ImageDisks? Disks,
    IReadOnlyDictionary<string, long> Files,
    DateTimeOffset CreatedAt,
    byte[] AgentKey
);

/// <summary>What a desktop must ask for to go on from it.</summary>
/// <param name="MemoryBytes">This and the next two as in the template's limits: 0 = the keeper's default.</param>
public sealed record SnapshotMachine(long MemoryBytes, double Cpus, long DiskBytes, int Width, int Height);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(SnapshotManifest))]
internal sealed partial class SnapshotJsonContext : JsonSerializerContext;

/// <summary>A machine that another can go on from.</summary>
/// <param name="AgentKey">Of the machine as it was kept.</param>
public sealed record GoldenSnapshot(string Directory, byte[] AgentKey);

/// <param name="Snapshot">Null when none fits this host.</param>
/// <param name="Refusal">Why one that is there is not used, in words; null when one fits or there is none.</param>
internal readonly record struct SnapshotFinding(GoldenSnapshot? Snapshot, string? Refusal);

/// <summary>A snapshot as the API shows it.</summary>
/// <param name="Driver">Null where its manifest cannot be read; so are the next five.</param>
/// <param name="Vmm">What the VMM said of its version.</param>
/// <param name="Kernel">The host's.</param>
/// <param name="Size">Bytes of its files; holes count as if they were full.</param>
/// <param name="Refused">Why this server does not use it; null when it would.</param>
public sealed record SnapshotSummary(
    string? Driver,
    string? Accelerator,
    SnapshotMachine? Machine,
    string? Vmm,
    string? Cpu,
    string? Kernel,
    DateTimeOffset? CreatedAt,
    long Size,
    string? Refused
);
