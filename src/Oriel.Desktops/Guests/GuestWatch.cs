using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Resources;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;
using WireState = Oriel.Protocol.Guest.StepState;

namespace Oriel.Desktops.Guests;

/// <summary>
/// Follows the guest of a desktop that is ready, for as long as it is: a session that ends there fails the desktop, and so does an agent
/// that answers no more. That the guest itself ended is the keeper's to say, which comes sooner than the patience here is over.
/// </summary>
/// <param name="patience">How long an agent may be out of reach; a frozen one may be for ever.</param>
internal sealed class GuestWatch(DesktopResources resources, Reports reports, TimeSpan patience, TimeProvider clock)
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(250);

    /// <summary>Whether the guest cannot be expected to answer: it is paused, or its machine is not running.</summary>
    public static bool IsFrozen(DesktopView desktop, DesktopMachine machine) =>
        desktop.State == DesktopState.Paused || machine.State is not (null or MachineState.Running);

    /// <summary>Ends by cancellation or by its exception only.</summary>
    /// <param name="reported">Gets each step, past ones too, as often as the watch begins anew.</param>
    /// <exception cref="StepFailedException">The session ended, or the agent is out of reach.</exception>
    public async Task FollowAsync(CancellationToken cancellationToken, Action<GuestStep>? reported = null)
    {
        long? lost = null;
        try
        {
            await AgentCall.RunAsync(
                ConnectAsync,
                new AgentRetry(Between, clock),
                (agent, _, calling) =>
                    Concurrently.WithAsync(
                        token => ScratchWatch.FollowAsync(agent, reports, clock, token),
                        token => FollowStepsAsync(agent, () => lost = null, reported, token),
                        calling
                    ),
                ShouldRetry,
                cancellationToken
            );
        }
        catch (AgentUntrustedException e)
        {
            throw new StepFailedException(DesktopReason.Of(ReasonCodes.AgentUntrusted, e.Message), e);
        }

        bool ShouldRetry(Exception? fault)
        {
            lost = IsFrozen(reports.View, resources.Machine) ? null : lost ?? clock.GetTimestamp();
            if (lost is { } since && clock.GetElapsedTime(since) > patience)
            {
                var problem = fault is null ? "The agent ended the watch on its steps." : AgentCall.Describe(fault);
                throw new StepFailedException(
                    new DesktopReason(
                        CodeOf(ReasonCodes.AgentUnreachable),
                        null,
                        $"The agent has not answered for {patience.TotalSeconds:0} s: {problem}",
                        problem,
                        []
                    )
                );
            }

            return true;
        }
    }

    /// <exception cref="TimeoutException">No answer for as long as the patience lasts.</exception>
    private async ValueTask<AgentConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            var link = resources.Machine.Agent ?? throw new OperationCanceledException("The desktop is going.");
            return await link.ConnectAsync(either.Token);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("no answer", e);
        }
    }

    /// <summary>
    /// Where the kernel has just ended programs of the guest for want of memory, that is the cause, whatever shows it first.
    /// </summary>
    private string CodeOf(string code) => resources.IsShortOfMemory ? ReasonCodes.OutOfMemory : code;

    private async Task FollowStepsAsync(
        AgentConnection agent,
        Action answered,
        Action<GuestStep>? reported,
        CancellationToken cancellationToken
    )
    {
        using var call = agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: cancellationToken);
        await foreach (var step in call.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            answered();
            reported?.Invoke(step);
            if (step.State == WireState.Failed)
            {
                throw new StepFailedException(
                    new DesktopReason(
                        CodeOf(ReasonCodes.SessionDied),
                        step.Name,
                        $"The desktop's session ended: {step.Detail}",
                        step.Detail,
                        []
                    )
                );
            }
        }
    }
}
