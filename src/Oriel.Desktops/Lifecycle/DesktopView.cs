using System.Text.Json.Serialization;
using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>An immutable view of a desktop; a new one replaces it with each change.</summary>
public sealed record DesktopView
{
    public required DesktopId Id { get; init; }
    public required string Name { get; init; }
    public required string Template { get; init; }
    public required DesktopState State { get; init; }
    public DesktopReason? Reason { get; init; }
    public required string ImageName { get; init; }
    public required string ImageDigest { get; init; }
    public required string Driver { get; init; }
    public required int Width { get; init; }
    public required int Height { get; init; }
    public required string Hostname { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ReadyAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }
    public TimeSpan? IdleTimeout { get; init; }
    public TimeSpan? IdlePause { get; init; }
    public IReadOnlyList<StepView> Steps { get; init; } = [];
    public int Viewers { get; init; }
    public IReadOnlyList<DesktopWarning> Warnings { get; init; } = [];

    /// <summary>Of those that have not ended; see <see cref="CreationSteps"/>.</summary>
    internal string? RunningStep => CreationSteps.Running(Steps);

    /// <summary>Of a desktop that is asked for now.</summary>
    internal static DesktopView New(DesktopSpec spec, string imageName, string imageDigest, string driver, DateTimeOffset now) =>
        new()
        {
            Id = DesktopId.New(),
            Name = spec.Name,
            Template = spec.Template,
            State = DesktopState.Creating,
            ImageName = imageName,
            ImageDigest = imageDigest,
            Driver = driver,
            Width = spec.Width,
            Height = spec.Height,
            Hostname = spec.Hostname,
            CreatedAt = now,
            ExpiresAt = spec.Ttl is { } ttl ? now + ttl : null,
            IdleTimeout = spec.IdleTimeout,
            IdlePause = spec.IdlePause,
        };
}

[JsonConverter(typeof(JsonStringEnumConverter<StepState>))]
public enum StepState
{
    [JsonStringEnumMemberName("running")]
    Running,

    [JsonStringEnumMemberName("done")]
    Done,

    [JsonStringEnumMemberName("failed")]
    Failed,
}

/// <summary>One timed step of a desktop's creation.</summary>
/// <param name="Name">Kebab-case.</param>
/// <param name="Detail">What was last seen; the reason on failure.</param>
public sealed record StepView(string Name, StepState State, DateTimeOffset StartedAt, double ElapsedMs, string? Detail)
{
    private const int MaxName = 64;
    private const long MaxElapsedUs = 24L * 3600 * 1_000_000;
    private static readonly long MaxAtUs = (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public string Name { get; } = ForeignWords.Of(Name, MaxName);

    public string? Detail { get; } = Detail is null ? null : ForeignWords.Of(Detail);

    /// <summary>As another process tells it, which may be wrong or hostile: times are clamped (at most a day).</summary>
    /// <param name="atUs">When it was reported, in microseconds since 1970.</param>
    internal static StepView Of(string name, StepState state, long atUs, long elapsedUs, string? detail)
    {
        var elapsed = Math.Clamp(elapsedUs, 0, MaxElapsedUs);
        var started = DateTimeOffset.UnixEpoch.AddTicks((Math.Clamp(atUs, elapsed, MaxAtUs) - elapsed) * TimeSpan.TicksPerMicrosecond);
        return new StepView(name, state, started, Math.Round(elapsed / 1000.0, 1), detail);
    }
}
