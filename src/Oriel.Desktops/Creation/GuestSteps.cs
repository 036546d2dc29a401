using Grpc.Core;
using Oriel.Desktops.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using StepState = Oriel.Desktops.Lifecycle.StepState;
using WireState = Oriel.Protocol.Guest.StepState;

namespace Oriel.Desktops.Creation;

/// <summary>The guest's own steps, shown among the desktop's as they happen.</summary>
internal static class GuestSteps
{
    /// <summary>A start has about twenty; a guest that tells of more is not ours any more.</summary>
    private const int MaxSteps = 512;

    /// <summary>Follows until cancelled or the stream ends; steps that were told before are not told again.</summary>
    /// <exception cref="StepFailedException">A step of the guest failed.</exception>
    public static async Task FollowAsync(Reports reports, BootedGuest guest, TaskCompletionSource session, TimeProvider clock, CancellationToken cancellationToken)
    {
        var count = 0;
        var before = guest.ToldUs;
        try
        {
            using var call = guest.Agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: cancellationToken);
            await foreach (var step in call.ResponseStream.ReadAllAsync(cancellationToken))
            {
                if (step.SinceBootUs <= before)
                {
                    continue;
                }

                guest.Told(step);
                var state = step.State switch { WireState.Done => StepState.Done, WireState.Failed => StepState.Failed, _ => StepState.Running };
                var told = StepSnapshot.Of(step.Name, state, clock.UnixMicroseconds(), step.ElapsedUs, step.Detail.Length == 0 ? null : step.Detail);
                reports.Step(told);
                if (state == StepState.Failed)
                {
                    throw new StepFailedException(new DesktopReason(FaultReason.OfWords(told.Detail, ReasonCodes.StepFailed), told.Name, $"The guest's step '{told.Name}' failed: {told.Detail}", told.Detail, []));
                }

                if (++count > MaxSteps)
                {
                    throw new StepFailedException(new DesktopReason(ReasonCodes.StepFailed, told.Name, "The agent tells of more steps than a start can have.", null, []));
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
            throw new StepFailedException(new DesktopReason(ReasonCodes.AgentUnreachable, null, $"The link to the agent broke: {e.StatusCode}: {e.Status.Detail}", null, []), e);
        }
    }
}
