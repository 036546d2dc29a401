using Grpc.Core;
using Oriel.Desktops.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;

namespace Oriel.Desktops.Creation;

/// <summary>Runs the server's own steps of a creation: timed, reported as they happen, each with a deadline.</summary>
internal sealed class StepRunner(Desktop desktop, TimeProvider clock)
{
    /// <param name="deadline">From now; <see cref="Timeout.InfiniteTimeSpan"/> for none.</param>
    /// <param name="body">Says what it sees, so that a missed deadline can tell.</param>
    /// <exception cref="StepFailedException">The deadline passed, or the step failed.</exception>
    public async Task<T> RunAsync<T>(string name, TimeSpan deadline, Func<StepProgress, CancellationToken, Task<T>> body, CancellationToken cancellationToken)
    {
        var progress = new StepProgress(desktop, clock, name);
        progress.Report(StepState.Running);
        using var timer = new CancellationTokenSource(deadline, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            var result = await body(progress, either.Token);
            progress.Report(StepState.Done);
            return result;
        }
        catch (StepFailedException e)
        {
            progress.Seen(e.Reason.Message);
            progress.Report(StepState.Failed);
            throw;
        }
        catch (AgentIdentityException e)
        {
            throw progress.Fail(ReasonCodes.AgentUntrusted, e.Message);
        }
        catch (Exception e) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled or StatusCode.DeadlineExceeded })
        {
            throw progress.Fail(ReasonCodes.StepDeadline, $"The step '{name}' was not done within {deadline.TotalSeconds:0.#} s.");
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
        {
            throw progress.Fail(ReasonCodes.ConfigurationRefused, $"The guest refuses what was asked for: {e.Status.Detail}");
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw progress.Fail(FaultReason.OfWords(e.Status.Detail, ReasonCodes.StepFailed), $"The step '{name}' failed: the agent said {e.StatusCode}: {e.Status.Detail}");
        }
        catch (IOException e)
        {
            throw progress.Fail(FaultReason.Of(e, ReasonCodes.StepFailed), $"The step '{name}' failed: {e.Message}");
        }
        catch (RpcException e)
        {
            throw new OperationCanceledException($"The step '{name}' was given up.", e, cancellationToken);
        }
    }

    public Task RunAsync(string name, TimeSpan deadline, Func<StepProgress, CancellationToken, Task> body, CancellationToken cancellationToken) =>
        RunAsync(name, deadline, async (progress, token) =>
        {
            await body(progress, token);
            return true;
        }, cancellationToken);
}

/// <summary>One running step.</summary>
internal sealed class StepProgress(Desktop desktop, TimeProvider clock, string name)
{
    private readonly DateTimeOffset _startedAt = clock.GetUtcNow();
    private readonly long _started = clock.GetTimestamp();
    private volatile string? _lastSeen;

    public string Name => name;

    public double ElapsedMs => Math.Round(clock.GetElapsedTime(_started).TotalMilliseconds, 1);

    /// <summary>Notes what was observed last.</summary>
    public void Seen(string what) => _lastSeen = what;

    public void Report(StepState state) => desktop.Report(new StepSnapshot(name, state, _startedAt, state == StepState.Running ? 0 : ElapsedMs, _lastSeen));

    public StepFailedException Fail(string code, string message)
    {
        var lastSeen = _lastSeen;
        var reason = new DesktopReason(code, name, message, lastSeen, []);
        _lastSeen = lastSeen is null ? message : $"{message} Last seen: {lastSeen}";
        Report(StepState.Failed);
        return new StepFailedException(reason);
    }
}

internal static class Concurrently
{
    /// <summary>Runs <paramref name="beside"/> until <paramref name="main"/> is done; a failure of either ends both.</summary>
    public static async Task WithAsync(Func<CancellationToken, Task> beside, Func<CancellationToken, Task> main, CancellationToken cancellationToken)
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await RunAsync(
            cancellationToken,
            async token =>
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(token, done.Token);
                try
                {
                    await beside(either.Token);
                }
                catch (OperationCanceledException) when (done.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    // The main part is done.
                }
            },
            async token =>
            {
                try
                {
                    await main(token);
                }
                finally
                {
                    await done.CancelAsync();
                }
            });
    }

    /// <summary>Runs all; the first failure cancels the others, is waited out, and is the one thrown.</summary>
    public static async Task RunAsync(CancellationToken cancellationToken, params IEnumerable<Func<CancellationToken, Task>> bodies)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception? first = null;
        await Task.WhenAll(bodies.Select(async body =>
        {
            try
            {
                await body(stop.Token);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref first, e, null);
                await stop.CancelAsync();
            }
        }));
        if (first is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }
    }
}
