namespace Oriel.WebRtc.Peers;

/// <summary>Microseconds since the endpoint started, and NTP time for reports.</summary>
internal sealed class PeerClock(TimeProvider clock)
{
    private static readonly DateTimeOffset NtpEpoch = new(1900, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly long _start = clock.GetTimestamp();

    public TimeProvider Provider => clock;

    public long Now => (long)clock.GetElapsedTime(_start).TotalMicroseconds;

    /// <summary>Seconds since 1900 in 32.32 fixed point (RFC 3550 section 4).</summary>
    public ulong Ntp
    {
        get
        {
            var elapsed = clock.GetUtcNow() - NtpEpoch;
            var seconds = (ulong)elapsed.Ticks / TimeSpan.TicksPerSecond;
            var rest = (ulong)elapsed.Ticks % TimeSpan.TicksPerSecond;
            return (seconds << 32) | ((rest << 32) / TimeSpan.TicksPerSecond);
        }
    }
}
