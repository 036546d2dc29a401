using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using StepState = Oriel.Desktops.Lifecycle.StepState;
using WireState = Oriel.Protocol.Guest.StepState;

namespace Oriel.Desktops.Guests;

/// <summary>The guest's own steps, shown among the desktop's as they happen.</summary>
internal static class GuestSteps
{
    /// <summary>A start has about twenty; a guest that reports more is not ours any more.</summary>
    private const int MaxSteps = 512;

    /// <summary>Follows until cancelled or the stream ends; steps that were reported before are skipped.</summary>
    /// <exception cref="StepFailedException">A step of the guest failed.</exception>
    public static async Task FollowAsync(
        Reports reports,
        BootedGuest guest,
        TaskCompletionSource session,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var count = 0;
        var before = guest.ReportedUs;
        try
        {
            using var call = guest.Agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: cancellationToken);
            await foreach (var step in call.ResponseStream.ReadFairlyAsync(cancellationToken))
            {
                if (step.SinceBootUs <= before)
                {
                    continue;
                }

                guest.Reported(step);
                var state = step.State switch
                {
                    WireState.Done => StepState.Done,
                    WireState.Failed => StepState.Failed,
                    _ => StepState.Running,
                };
                var reported = StepView.Of(
                    step.Name,
                    state,
                    clock.UnixMicroseconds(),
                    step.ElapsedUs,
                    step.Detail.Length == 0 ? null : step.Detail
                );
                reports.Step(reported);
                if (state == StepState.Failed)
                {
                    throw new StepFailedException(
                        new DesktopReason(
                            FaultReason.OfWords(reported.Detail, ReasonCodes.StepFailed),
                            reported.Name,
                            $"The guest's step '{reported.Name}' failed: {reported.Detail}",
                            reported.Detail,
                            []
                        )
                    );
                }

                if (++count > MaxSteps)
                {
                    throw new StepFailedException(
                        new DesktopReason(
                            ReasonCodes.StepFailed,
                            reported.Name,
                            "The agent reports more steps than a start can have.",
                            null,
                            []
                        )
                    );
                }

                if (state == StepState.Done && step.Name == StepNames.Session)
                {
                    session.TrySetResult();
                }
            }
        }
        catch (RpcException) when (cancellationToken.IsCancellationRequested)
        {
            // All is proven, or given up.
        }
        catch (RpcException e)
        {
            throw new StepFailedException(
                new DesktopReason(
                    ReasonCodes.AgentUnreachable,
                    null,
                    $"The link to the agent broke: {e.StatusCode}: {e.Status.Detail}",
                    null,
                    []
                ),
                e
            );
        }
    }
}
