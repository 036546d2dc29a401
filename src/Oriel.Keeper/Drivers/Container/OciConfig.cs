using System.Text.Json.Serialization;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>The part of config.json that Oriel writes. Source: OCI Runtime Specification 1.0.2, config.md and config-linux.md.</summary>
internal sealed record OciConfig(
    string OciVersion,
    OciProcess Process,
    OciRoot Root,
    string Hostname,
    IReadOnlyList<OciMount> Mounts,
    OciLinux Linux
);

internal sealed record OciProcess(
    bool Terminal,
    OciUser User,
    IReadOnlyList<string> Args,
    IReadOnlyList<string> Env,
    string Cwd,
    OciCapabilities Capabilities,
    IReadOnlyList<OciRlimit> Rlimits,
    bool NoNewPrivileges
);

internal sealed record OciUser(int Uid, int Gid, int Umask);

internal sealed record OciCapabilities(IReadOnlyList<string> Bounding, IReadOnlyList<string> Effective, IReadOnlyList<string> Permitted);

internal sealed record OciRlimit(string Type, ulong Hard, ulong Soft);

internal sealed record OciRoot(string Path, bool Readonly);

internal sealed record OciMount(string Destination, string Type, string Source, IReadOnlyList<string> Options);

internal sealed record OciLinux(
    IReadOnlyList<OciIdMapping> UidMappings,
    IReadOnlyList<OciIdMapping> GidMappings,
    IReadOnlyList<OciNamespace> Namespaces,
    IReadOnlyList<string> MaskedPaths,
    IReadOnlyList<string> ReadonlyPaths,
    OciSeccomp Seccomp
);

internal sealed record OciIdMapping(
    [property: JsonPropertyName("containerID")] int ContainerId,
    [property: JsonPropertyName("hostID")] int HostId,
    int Size
);

internal sealed record OciNamespace(string Type, string? Path = null);

internal sealed record OciSeccomp(string DefaultAction, IReadOnlyList<string> Architectures, IReadOnlyList<OciSyscalls> Syscalls);

internal sealed record OciSyscalls(IReadOnlyList<string> Names, string Action, uint ErrnoRet, IReadOnlyList<OciArgument>? Args = null);

internal sealed record OciArgument(uint Index, ulong Value, string Op);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(OciConfig))]
internal sealed partial class OciJsonContext : JsonSerializerContext;
