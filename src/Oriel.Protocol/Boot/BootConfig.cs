using System.Text.Json.Serialization;

namespace Oriel.Protocol.Boot;

/// <summary>What the guest must know before its network is up. The keeper shows it read-only, mode 0400, at <see cref="GuestPath"/>.</summary>
/// <param name="AgentKey">32 random bytes; both ends of the agent link prove that they know it.</param>
public sealed record BootConfig(string DesktopId, byte[] AgentKey, string Hostname)
{
    public const string GuestPath = "/run/oriel/boot.json";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BootConfig))]
public sealed partial class BootJsonContext : JsonSerializerContext;
