using System.Text.Json.Serialization;

namespace Oriel.Protocol.Boot;

/// <summary>
/// What the guest must know before its network is up. The keeper shows it read-only, mode 0400, at <see cref="GuestPath"/>.
/// </summary>
/// <param name="AgentKey">32 random bytes; both ends of the agent link prove that they know it.</param>
/// <param name="Warm">Null: the session starts when the guest is configured. Else it starts immediately, at this size, and waits for its
/// desktop.</param>
/// <param name="TimeScale">How many times as long as on hardware things may take here: the agent's own deadlines are multiplied by
/// it.</param>
public sealed record BootConfig(string DesktopId, byte[] AgentKey, string Hostname, WarmStart? Warm = null, double TimeScale = 1)
{
    public const string GuestPath = "/run/oriel/boot.json";
}

/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
public sealed record WarmStart(int Width, int Height);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BootConfig))]
public sealed partial class BootJsonContext : JsonSerializerContext;
