namespace Oriel.Agent.Boot;

/// <summary>How long the guest may take to end in order; from SIGTERM the default.</summary>
internal sealed class GuestEnding(IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private static readonly TimeSpan _default = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _shortest = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private (long Began, TimeSpan Allowed)? _deadline;

    /// <summary>What is left of the deadline; the first use begins it. Never less than zero.</summary>
    public TimeSpan Left
    {
        get
        {
            var (began, allowed) = Deadline(_default);
            var left = allowed - clock.GetElapsedTime(began);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <param name="deadlineMs">0 = the default of 5 s; held between 0.2 and 30 s.</param>
    public void Begin(long deadlineMs)
    {
        Deadline(deadlineMs <= 0 ? _default : TimeSpan.FromMilliseconds(Math.Clamp(deadlineMs, _shortest.TotalMilliseconds, _longest.TotalMilliseconds)));
        lifetime.StopApplication();
    }

    private (long Began, TimeSpan Allowed) Deadline(TimeSpan allowed)
    {
        lock (_gate)
        {
            return _deadline ??= (clock.GetTimestamp(), allowed);
        }
    }
}
