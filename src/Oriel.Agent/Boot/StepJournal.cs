using System.Runtime.CompilerServices;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Boot;

/// <summary>The steps of the guest's start, from the first, for everyone who watches; each is also a line of the console.</summary>
internal sealed class StepJournal(TimeProvider clock, GuestConsole console)
{
    /// <summary>A guest has about ten steps, each with two or three events; what comes beyond is a fault and only logged.</summary>
    private const int MaxEvents = 256;

    private readonly Lock _lock = new();
    private readonly List<GuestStep> _events = [];
    private readonly long _began = clock.GetTimestamp();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Step Begin(string name, string detail = "")
    {
        var step = new Step(this, name, clock.GetTimestamp());
        Publish(step, StepState.Running, detail);
        return step;
    }

    /// <summary>Of the newest event, in microseconds since the agent began; 0 before the first.</summary>
    public long NewestUs
    {
        get
        {
            lock (_lock)
            {
                return _events.Count == 0 ? 0 : _events[^1].SinceBootUs;
            }
        }
    }

    /// <summary>Past events, then each as it happens, until cancelled.</summary>
    public async IAsyncEnumerable<GuestStep> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var next = 0; ; )
        {
            GuestStep[] events;
            Task changed;
            lock (_lock)
            {
                events = [.. _events.Skip(next)];
                changed = _changed.Task;
            }

            foreach (var step in events)
            {
                yield return step;
            }

            next += events.Length;
            await changed.WaitAsync(cancellationToken);
        }
    }

    private void Publish(Step step, StepState state, string detail)
    {
        var now = clock.GetTimestamp();
        var e = new GuestStep
        {
            Name = step.Name,
            State = state,
            ElapsedUs = (long)clock.GetElapsedTime(step.Began, now).TotalMicroseconds,
            SinceBootUs = (long)clock.GetElapsedTime(_began, now).TotalMicroseconds,
            Detail = detail,
        };
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (_events.Count < MaxEvents)
            {
                _events.Add(e);
            }

            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.TrySetResult();
        console.Write(
            state == StepState.Failed ? "error" : "info",
            "step",
            $"{e.Name} {state.ToString().ToLowerInvariant()} elapsed={e.ElapsedUs}us boot={e.SinceBootUs}us {detail}"
        );
    }

    /// <summary>One step under way.</summary>
    internal sealed class Step(StepJournal journal, string name, long began)
    {
        public string Name => name;

        public long Began => began;

        public void Done(string detail = "") => journal.Publish(this, StepState.Done, detail);

        public void Fail(string reason) => journal.Publish(this, StepState.Failed, reason);
    }
}
