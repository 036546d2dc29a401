using Grpc.Core;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Disks;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using WireState = Oriel.Protocol.Guest.StepState;

namespace Oriel.Desktops.Agents;

/// <summary>
/// Follows the guest of a desktop that is ready, for as long as it is: a session that ends there fails the desktop, and so does an agent
/// that answers no more. That the guest itself ended is the keeper's to say, which comes sooner than the patience here is over.
/// </summary>
internal static class GuestWatch
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(250);

    /// <summary>Ends by cancellation or by its exception only.</summary>
    /// <param name="told">Gets each step, past ones too, as often as the watch begins anew.</param>
    /// <exception cref="StepFailedException">The session ended, or the agent is out of reach.</exception>
    public static async Task FollowAsync(Desktop desktop, DesktopContext context, CancellationToken cancellationToken, Action<GuestStep>? told = null)
    {
        // How long an agent may be out of reach; a frozen one may be for ever.
        var (patience, clock) = (context.Options.Deadlines.Adopt, context.Clock);
        long? lost = null;
        while (true)
        {
            string problem;
            using var limit = new CancellationTokenSource(patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
            try
            {
                var link = desktop.Resources.Agent ?? throw new OperationCanceledException("The desktop is going.");
                var agent = await link.ConnectAsync(either.Token);
                limit.CancelAfter(Timeout.InfiniteTimeSpan);
                await Concurrently.WithAsync(
                    token => ScratchWatch.FollowAsync(agent, desktop, clock, token),
                    token => FollowAsync(desktop, agent, () => lost = null, told, token),
                    cancellationToken);
                problem = "The agent ended the watch on its steps.";
            }
            catch (RpcException e)
            {
                cancellationToken.ThrowIfCancellationRequested();
                problem = $"{e.StatusCode}: {e.Status.Detail}";
            }
            catch (AgentIdentityException e)
            {
                throw new StepFailedException(DesktopReason.Of(ReasonCodes.AgentUntrusted, e.Message), e);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                problem = "no answer";
            }

            lost = desktop.StandsStill ? null : lost ?? clock.GetTimestamp();
            if (lost is { } since && clock.GetElapsedTime(since) > patience)
            {
                throw new StepFailedException(new DesktopReason(
                    CodeOf(desktop, ReasonCodes.AgentUnreachable), null, $"The agent has not answered for {patience.TotalSeconds:0} s: {problem}", problem, []));
            }

            await Task.Delay(Between, clock, cancellationToken);
        }
    }

    /// <summary>A guest whose programs the kernel has just ended for want of memory ends of that, whatever shows it first.</summary>
    private static string CodeOf(Desktop desktop, string code) => desktop.Resources.IsShortOfMemory ? ReasonCodes.OutOfMemory : code;

    private static async Task FollowAsync(Desktop desktop, AgentConnection agent, Action answered, Action<GuestStep>? told, CancellationToken cancellationToken)
    {
        using var call = agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: cancellationToken);
        await foreach (var step in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            answered();
            told?.Invoke(step);
            if (step.State == WireState.Failed)
            {
                throw new StepFailedException(new DesktopReason(
                    CodeOf(desktop, ReasonCodes.SessionDied), step.Name, $"The desktop's session ended: {step.Detail}", step.Detail, []));
            }
        }
    }
}
