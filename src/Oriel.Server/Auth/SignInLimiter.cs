using System.Collections.Concurrent;
using System.Net;

namespace Oriel.Server.Auth;

/// <summary>
/// Failed sign-ins of an address: so many at once, then one more every few seconds. Tokens of 256 bits cannot be guessed; this keeps the
/// log and the database quiet.
/// </summary>
public sealed class SignInLimiter(TimeProvider clock)
{
    public const int Burst = 10;
    public static readonly TimeSpan Refill = TimeSpan.FromSeconds(6);
    private const int MaxAddresses = 10_000;
    private readonly ConcurrentDictionary<IPAddress, (double Left, DateTimeOffset At)> _left = new();

    /// <summary>False when the address has failed too often lately.</summary>
    public bool MayTry(IPAddress address) => Left(address) >= 1;

    public void Failed(IPAddress address)
    {
        if (_left.Count > MaxAddresses)
        {
            _left.Clear();
        }

        _left[address] = (Math.Max(0, Left(address) - 1), clock.GetUtcNow());
    }

    private double Left(IPAddress address) =>
        _left.TryGetValue(address, out var entry) ? Math.Min(Burst, entry.Left + ((clock.GetUtcNow() - entry.At) / Refill)) : Burst;
}
