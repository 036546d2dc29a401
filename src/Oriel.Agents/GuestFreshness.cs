using System.Security.Cryptography;
using Google.Protobuf;
using Oriel.Protocol.Guest;

namespace Oriel.Agents;

/// <summary>
/// What a machine cannot have by itself after a start, a pause or a snapshot: the time, and randomness that no other machine has seen.
/// </summary>
public static class GuestFreshness
{
    private const int EntropyLength = 64;

    /// <summary>Since 1970.</summary>
    public static long UnixMicroseconds(this TimeProvider clock) =>
        (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static ByteString Entropy() => ByteString.CopyFrom(RandomNumberGenerator.GetBytes(EntropyLength));

    /// <summary>Clock and randomness alone; who needs an identity as well adds it.</summary>
    public static RenewRequest Renewal(TimeProvider clock) => new() { WallClockUs = clock.UnixMicroseconds(), Entropy = Entropy() };
}
