using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;

namespace Oriel.Desktops.Steps;

/// <summary>Runs the server's own steps of a creation: timed, reported as they happen, each with a deadline.</summary>
internal sealed class StepRunner(Reports reports, TimeProvider clock)
{
    /// <param name="deadline">From now; <see cref="Timeout.InfiniteTimeSpan"/> for none.</param>
    /// <param name="body">Says what it sees, so that a missed deadline can tell.</param>
    /// <exception cref="StepFailedException">The deadline passed, or the step failed.</exception>
    public async Task<T> RunAsync<T>(
        string name,
        TimeSpan deadline,
        Func<StepProgress, CancellationToken, Task<T>> body,
        CancellationToken cancellationToken
    )
    {
        var progress = new StepProgress(reports, clock, name);
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
        catch (Exception e) when (AgentUntrustedException.Of(e) is { } untrusted)
        {
            throw progress.Fail(ReasonCodes.AgentUntrusted, untrusted.Message);
        }
        catch (Exception e)
            when (timer.IsCancellationRequested
                && !cancellationToken.IsCancellationRequested
                && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled or StatusCode.DeadlineExceeded }
            )
        {
            throw progress.Fail(ReasonCodes.StepDeadline, $"The step '{name}' was not done within {deadline.TotalSeconds:0.#} s.");
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
        {
            throw progress.Fail(ReasonCodes.ConfigurationRefused, $"The guest refuses what was asked for: {e.Status.Detail}");
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw progress.Fail(
                FaultReason.OfWords(e.Status.Detail, ReasonCodes.StepFailed),
                $"The step '{name}' failed: the agent said {e.StatusCode}: {e.Status.Detail}"
            );
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

    public Task RunAsync(
        string name,
        TimeSpan deadline,
        Func<StepProgress, CancellationToken, Task> body,
        CancellationToken cancellationToken
    ) =>
        RunAsync(
            name,
            deadline,
            async (progress, token) =>
            {
                await body(progress, token);
                return true;
            },
            cancellationToken
        );
}
