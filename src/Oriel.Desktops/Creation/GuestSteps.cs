using Grpc.Core;
using Oriel.Desktops.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Protocol.Guest;
using StepState = Oriel.Desktops.Lifecycle.StepState;
using WireState = Oriel.Protocol.Guest.StepState;

namespace Oriel.Desktops.Creation;

/// <summary>The guest's own steps, shown among the desktop's as they happen.</summary>
internal static class GuestSteps
{
    /// <summary>The step whose end means that the desktop session runs.</summary>
    public const string Session = "session";

    /// <summary>Its part of what the server times as a whole under the same name.</summary>
    private const string Configure = "configure";

    /// <summary>Follows until cancelled or the stream ends.</summary>
    /// <exception cref="StepFailedException">A step of the guest failed.</exception>
    public static async Task FollowAsync(Desktop desktop, AgentConnection agent, TaskCompletionSource session, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            using var call = agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: cancellationToken);
            await foreach (var step in call.ResponseStream.ReadAllAsync(cancellationToken))
            {
                var state = step.State switch { WireState.Done => StepState.Done, WireState.Failed => StepState.Failed, _ => StepState.Running };
                var elapsed = TimeSpan.FromMicroseconds(step.ElapsedUs);
                var detail = step.Detail.Length == 0 ? null : step.Detail;
                desktop.Report(new StepSnapshot(step.Name == Configure ? "guest-configure" : step.Name, state, clock.GetUtcNow() - elapsed, Math.Round(elapsed.TotalMilliseconds, 1), detail));
                if (state == StepState.Failed)
                {
                    throw new StepFailedException(new DesktopReason(ReasonCodes.StepFailed, step.Name, $"The guest's step '{step.Name}' failed: {detail}", detail, []));
                }

                if (state == StepState.Done && step.Name == Session)
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
