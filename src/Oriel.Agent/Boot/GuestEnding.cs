namespace Oriel.Agent.Boot;

/// <summary>How long the guest may take to end in order; from SIGTERM the default.</summary>
internal sealed class GuestEnding(IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private static readonly TimeSpan Default = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private (long Began, TimeSpan Allowed)? _deadline;

    /// <summary>What is left of the deadline; the first use begins it. Never less than zero.</summary>
    public TimeSpan Left
    {
        get
        {
            var (began, allowed) = Deadline(Default);
            var left = allowed - clock.GetElapsedTime(began);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <param name="deadlineMs">0 = the default of 5 s; held between 0.2 and 30 s.</param>
    public void Begin(long deadlineMs)
    {
        Deadline(
            deadlineMs <= 0
                ? Default
                : TimeSpan.FromMilliseconds(Math.Clamp(deadlineMs, Shortest.TotalMilliseconds, Longest.TotalMilliseconds))
        );
        lifetime.StopApplication();
    }

    private (long Began, TimeSpan Allowed) Deadline(TimeSpan allowed)
    {
        lock (_lock)
        {
            return _deadline ??= (clock.GetTimestamp(), allowed);
        }
    }
}
