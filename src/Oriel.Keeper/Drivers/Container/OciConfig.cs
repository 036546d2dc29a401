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

/// <param name="DefaultErrnoRet">What a call that no rule names returns.</param>
internal sealed record OciSeccomp(
    string DefaultAction,
    uint DefaultErrnoRet,
    IReadOnlyList<string> Architectures,
    IReadOnlyList<OciSyscalls> Syscalls
);

internal sealed record OciSyscalls(
    IReadOnlyList<string> Names,
    string Action,
    uint? ErrnoRet = null,
    IReadOnlyList<OciArgument>? Args = null
);

/// <summary>
/// A rule on the low 32 bits of a system call's argument: <c>argument &amp; Value == ValueTwo</c>. There is no other kind here, since a
/// comparison of all 64 bits misses what the kernel cuts to 32.
/// </summary>
internal sealed record OciArgument
{
    private OciArgument(uint index, uint mask, uint bits) => (Index, Value, ValueTwo) = (index, mask, bits);

    public uint Index { get; }
    public ulong Value { get; }
    public ulong ValueTwo { get; }
    public string Op => "SCMP_CMP_MASKED_EQ";

    public static OciArgument Is(uint index, uint value) => new(index, uint.MaxValue, value);

    /// <param name="mask">The bits that are compared.</param>
    /// <param name="bits">What they must be.</param>
    public static OciArgument HasBits(uint index, uint mask, uint bits) => new(index, mask, bits);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(OciConfig))]
internal sealed partial class OciJsonContext : JsonSerializerContext;
