using System.Text.Json.Serialization;

namespace Oriel.Keeper.Drivers.Firecracker.Api;

// The part of Firecracker's published interface that Oriel uses: tests/data/firecracker-api.yaml, held by the contract tests. What is
// null is not sent. Fields that not every version from 1.10 on knows say so; FirecrackerCapabilities decides whether they are sent.

/// <param name="VcpuCount">1 to 32.</param>
/// <param name="MemSizeMib">MiB.</param>
/// <param name="TrackDirtyPages">Costs writes a fault each; only for diff snapshots.</param>
internal sealed record MachineConfiguration(int VcpuCount, int MemSizeMib, bool Smt = false, bool? TrackDirtyPages = null);

/// <summary>Paths are the VMM's own.</summary>
internal sealed record BootSource(string KernelImagePath, string? InitrdPath, string BootArgs);

/// <param name="IoEngine">Null: Sync. Async needs io_uring, which many hosts refuse to ordinary users.</param>
internal sealed record Drive(
    string DriveId,
    string PathOnHost,
    bool IsRootDevice,
    bool IsReadOnly,
    DriveCache? CacheType = null,
    DriveEngine? IoEngine = null,
    RateLimiter? RateLimiter = null
);

/// <summary>Unsafe: the guest's flush is not passed on to the host's disk, right for what lives no longer than the VMM.</summary>
[JsonConverter(typeof(NameConverter<DriveCache>))]
internal enum DriveCache
{
    Unsafe,
    Writeback,
}

[JsonConverter(typeof(NameConverter<DriveEngine>))]
internal enum DriveEngine
{
    Sync,
    Async,
}

/// <param name="HostDevName">The tap's name in the VMM's network namespace.</param>
internal sealed record NetworkInterface(
    string IfaceId,
    string HostDevName,
    string? GuestMac = null,
    RateLimiter? RxRateLimiter = null,
    RateLimiter? TxRateLimiter = null
);

internal sealed record RateLimiter(TokenBucket? Bandwidth = null, TokenBucket? Ops = null);

/// <param name="Size">Bytes or operations.</param>
/// <param name="RefillTime">Milliseconds.</param>
internal sealed record TokenBucket(long Size, long RefillTime, long? OneTimeBurst = null);

/// <param name="GuestCid">3 or more.</param>
internal sealed record Vsock(uint GuestCid, string UdsPath);

internal sealed record EntropyDevice(RateLimiter? RateLimiter = null);

/// <param name="LogPath">A file or named pipe; opened without blocking, and lines are dropped while a pipe is full.</param>
internal sealed record Logger(string LogPath, LogLevel Level, bool ShowLevel = true, bool ShowLogOrigin = false);

[JsonConverter(typeof(NameConverter<LogLevel>))]
internal enum LogLevel
{
    Error,
    Warning,
    Info,
    Debug,
}

internal sealed record Metrics(string MetricsPath);

internal sealed record InstanceAction(InstanceActionType ActionType);

[JsonConverter(typeof(NameConverter<InstanceActionType>))]
internal enum InstanceActionType
{
    FlushMetrics,
    InstanceStart,
    SendCtrlAltDel,
}

internal sealed record Vm(VmState State);

[JsonConverter(typeof(NameConverter<VmState>))]
internal enum VmState
{
    Paused,
    Resumed,
}

internal sealed record SnapshotCreate(string SnapshotPath, string MemFilePath, SnapshotType SnapshotType = SnapshotType.Full);

[JsonConverter(typeof(NameConverter<SnapshotType>))]
internal enum SnapshotType
{
    Full,
    Diff,
}

/// <param name="MemBackend">The memory file must not change while a machine that was loaded from it lives.</param>
/// <param name="NetworkOverrides">From 1.12.</param>
/// <param name="VsockOverride">From 1.16.</param>
/// <param name="ClockRealtime">From 1.16: kvmclock is moved on by the time that has passed.</param>
internal sealed record SnapshotLoad(
    string SnapshotPath,
    MemoryBackend MemBackend,
    bool ResumeVm = false,
    IReadOnlyList<NetworkOverride>? NetworkOverrides = null,
    VsockOverride? VsockOverride = null,
    bool? ClockRealtime = null
);

internal sealed record MemoryBackend(MemoryBackendType BackendType, string BackendPath);

[JsonConverter(typeof(NameConverter<MemoryBackendType>))]
internal enum MemoryBackendType
{
    File,
    Uffd,
}

internal sealed record NetworkOverride(string IfaceId, string HostDevName);

internal sealed record VsockOverride(string UdsPath);

/// <summary>
/// A custom CPU template of x86-64: which features guests of different hosts have in common. Bitmaps: <c>0b</c>, then 0, 1 or x (leave as
/// it is).
/// </summary>
internal sealed record CpuConfig(
    IReadOnlyList<string>? KvmCapabilities = null,
    IReadOnlyList<CpuidLeafModifier>? CpuidModifiers = null,
    IReadOnlyList<MsrModifier>? MsrModifiers = null
);

internal sealed record CpuidLeafModifier(string Leaf, string Subleaf, int Flags, IReadOnlyList<CpuidRegisterModifier> Modifiers);

internal sealed record CpuidRegisterModifier(CpuidRegister Register, string Bitmap);

[JsonConverter(typeof(CpuidRegisterConverter))]
internal enum CpuidRegister
{
    Eax,
    Ebx,
    Ecx,
    Edx,
}

internal sealed class CpuidRegisterConverter() : NameConverter<CpuidRegister>("eax", "ebx", "ecx", "edx");

internal sealed record MsrModifier(string Addr, string Bitmap);

internal sealed record InstanceInfo(string AppName, string Id, InstanceState State, string VmmVersion);

[JsonConverter(typeof(InstanceStateConverter))]
internal enum InstanceState
{
    NotStarted,
    Running,
    Paused,
}

internal sealed class InstanceStateConverter() : NameConverter<InstanceState>("Not started", "Running", "Paused");

internal sealed record VersionInfo([property: JsonPropertyName("firecracker_version")] string Version);

internal sealed record ApiError(string? FaultMessage);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 16
)]
[JsonSerializable(typeof(MachineConfiguration))]
[JsonSerializable(typeof(CpuConfig))]
[JsonSerializable(typeof(BootSource))]
[JsonSerializable(typeof(Drive))]
[JsonSerializable(typeof(NetworkInterface))]
[JsonSerializable(typeof(Vsock))]
[JsonSerializable(typeof(EntropyDevice))]
[JsonSerializable(typeof(Logger))]
[JsonSerializable(typeof(Metrics))]
[JsonSerializable(typeof(InstanceAction))]
[JsonSerializable(typeof(Vm))]
[JsonSerializable(typeof(SnapshotCreate))]
[JsonSerializable(typeof(SnapshotLoad))]
[JsonSerializable(typeof(InstanceInfo))]
[JsonSerializable(typeof(VersionInfo))]
[JsonSerializable(typeof(ApiError))]
internal sealed partial class FirecrackerJsonContext : JsonSerializerContext;
