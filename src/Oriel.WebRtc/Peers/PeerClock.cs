namespace Oriel.WebRtc.Peers;

/// <summary>Microseconds since the endpoint started, and NTP time for reports.</summary>
internal sealed class PeerClock(TimeProvider time)
{
    private static readonly DateTimeOffset NtpEpoch = new(1900, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly long _start = time.GetTimestamp();

    public TimeProvider Time => time;

    public long Now => (long)time.GetElapsedTime(_start).TotalMicroseconds;

    /// <summary>Seconds since 1900 in 32.32 fixed point (RFC 3550 section 4).</summary>
    public ulong Ntp
    {
        get
        {
            var elapsed = time.GetUtcNow() - NtpEpoch;
            var seconds = (ulong)elapsed.Ticks / TimeSpan.TicksPerSecond;
            var rest = (ulong)elapsed.Ticks % TimeSpan.TicksPerSecond;
            return (seconds << 32) | ((rest << 32) / TimeSpan.TicksPerSecond);
        }
    }
}
