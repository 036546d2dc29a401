using System.Diagnostics.Metrics;
using Oriel.Desktops.Lifecycle;

namespace Oriel.Desktops.Loop;

/// <summary>Metrics of desktops, under the meter <see cref="MeterName"/>.</summary>
public sealed class DesktopMetrics : IDisposable
{
    public const string MeterName = "Oriel.Desktops";
    private readonly Meter _meter = new(MeterName);
    private readonly Histogram<double> _creation;
    private readonly Histogram<double> _steps;
    private readonly Counter<long> _ended;
    private Func<IEnumerable<DesktopView>> _desktops = () => [];
    private Func<IEnumerable<(string Template, int Waiting)>> _pool = () => [];

    public DesktopMetrics()
    {
        _creation = _meter.CreateHistogram<double>("oriel.desktop.creation", "s", "From the request to ready.");
        _steps = _meter.CreateHistogram<double>("oriel.desktop.step", "s", "Each step of a creation.");
        _ended = _meter.CreateCounter<long>("oriel.desktop.ended", description: "Desktops that ended, by reason.");
        _meter.CreateObservableGauge("oriel.desktops", Count, description: "Desktops by state.");
        _meter.CreateObservableGauge(
            "oriel.pool.waiting",
            () => _pool().Select(p => new Measurement<int>(p.Waiting, new KeyValuePair<string, object?>("template", p.Template))),
            description: "Warm desktops that wait to be claimed."
        );
        _meter.CreateObservableGauge("oriel.viewers", () => _desktops().Sum(d => d.Viewers), description: "Connected viewers.");
    }

    public void Dispose() => _meter.Dispose();

    internal void Observe(Func<IEnumerable<DesktopView>> desktops, Func<IEnumerable<(string Template, int Waiting)>> pool) =>
        (_desktops, _pool) = (desktops, pool);

    internal void Entered(DesktopView view, bool isFirstReady)
    {
        if (isFirstReady && view.ReadyAt is { } ready)
        {
            _creation.Record((ready - view.CreatedAt).TotalSeconds);
        }
        else if (view.State == DesktopState.Destroyed)
        {
            _ended.Add(1, new KeyValuePair<string, object?>("reason", view.Reason?.Code ?? "none"));
        }
    }

    internal void StepEnded(StepView step) =>
        _steps.Record(step.ElapsedMs / 1000, new("step", step.Name), new("outcome", step.State == StepState.Done ? "done" : "failed"));

    private IEnumerable<Measurement<int>> Count() =>
        _desktops()
            .GroupBy(d => d.State)
            .Select(g => new Measurement<int>(g.Count(), new KeyValuePair<string, object?>("state", g.Key.Name())));
}
