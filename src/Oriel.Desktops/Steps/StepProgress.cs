using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;

namespace Oriel.Desktops.Steps;

/// <summary>One running step.</summary>
internal sealed class StepProgress(Reports reports, TimeProvider clock, string name)
{
    private readonly DateTimeOffset _startedAt = clock.GetUtcNow();
    private readonly long _started = clock.GetTimestamp();
    private volatile string? _lastSeen;

    public string Name => name;

    public double ElapsedMs => Math.Round(clock.GetElapsedTime(_started).TotalMilliseconds, 1);

    /// <summary>Notes what was observed last.</summary>
    public void Seen(string what) => _lastSeen = ForeignWords.Of(what);

    public void Report(StepState state) =>
        reports.Step(new StepView(name, state, _startedAt, state == StepState.Running ? 0 : ElapsedMs, _lastSeen));

    public StepFailedException Fail(string code, string message)
    {
        var lastSeen = _lastSeen;
        var reason = new DesktopReason(code, name, message, lastSeen, []);
        _lastSeen = lastSeen is null ? message : $"{message} Last seen: {lastSeen}";
        Report(StepState.Failed);
        return new StepFailedException(reason);
    }
}
