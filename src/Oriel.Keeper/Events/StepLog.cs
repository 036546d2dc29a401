using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Events;

/// <summary>A step of the start that did not succeed; its name is the step's.</summary>
internal sealed class KeeperStepException(string step, Exception cause) : Exception($"{step}: {cause.Message}", cause)
{
    public string Step { get; } = step;
}

/// <summary>Runs the named steps of a start and tells, for each, that it runs, that it is done or failed, and how long it took.</summary>
internal sealed class StepLog(EventLog events, TimeProvider clock)
{
    /// <exception cref="KeeperStepException">The step threw, or did not end by its deadline.</exception>
    public async Task RunAsync(
        string step,
        TimeSpan deadline,
        Func<CancellationToken, Task<string?>> work,
        CancellationToken cancellationToken
    )
    {
        events.Publish(at => new KeeperStep(at, step, KeeperStepState.Running));
        var started = clock.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(deadline);
        try
        {
            var detail = await work(limit.Token);
            events.Publish(at => new KeeperStep(at, step, KeeperStepState.Done, Elapsed(started), detail));
        }
        catch (Exception e)
        {
            var cause =
                e is OperationCanceledException && !cancellationToken.IsCancellationRequested
                    ? new TimeoutException($"not done after {deadline.TotalSeconds:0} s", e)
                    : e;
            events.Publish(at => new KeeperStep(at, step, KeeperStepState.Failed, Elapsed(started), cause.Message));
            throw new KeeperStepException(step, cause);
        }
    }

    private long Elapsed(long started) => (long)clock.GetElapsedTime(started).TotalMicroseconds;
}
