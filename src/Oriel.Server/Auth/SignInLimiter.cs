using System.Collections.Concurrent;
using System.Net;
using Oriel.Server.Http;

namespace Oriel.Server.Auth;

/// <summary>
/// Failed sign-ins of a host (<see cref="ClientHost"/>): so many at once, then one more every few seconds. Tokens of 256 bits cannot be
/// guessed; this keeps the log and the database quiet.
/// </summary>
public sealed class SignInLimiter(TimeProvider clock)
{
    public const int Burst = 10;
    public static readonly TimeSpan Refill = TimeSpan.FromSeconds(6);
    private const int MaxAddresses = 10_000;
    private readonly ConcurrentDictionary<IPAddress, (double Left, DateTimeOffset At)> _left = new();

    /// <summary>Counts one failure; false when the host has failed too often recently.</summary>
    public bool MayFail(IPAddress address)
    {
        if (_left.Count > MaxAddresses)
        {
            _left.Clear();
        }

        address = ClientHost.Of(address);
        var left = Left(address);
        _left[address] = (Math.Max(0, left - 1), clock.GetUtcNow());
        return left >= 1;
    }

    private double Left(IPAddress address) =>
        _left.TryGetValue(address, out var entry) ? Math.Min(Burst, entry.Left + ((clock.GetUtcNow() - entry.At) / Refill)) : Burst;
}
