using Oriel.Agents;
using Oriel.Desktops.Steps;

namespace Oriel.Desktops.Guests;

/// <summary>Opens the agent link, as often as it takes within the step's deadline.</summary>
internal static class AgentReach
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(25);

    /// <param name="linkOf">Null when the desktop is ending.</param>
    public static async Task<AgentConnection> WaitAsync(
        Func<AgentLink?> linkOf,
        StepProgress progress,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        AgentConnection? reached = null;
        await AgentCall.RunAsync(
            token => (linkOf() ?? throw new OperationCanceledException("The desktop is going.")).ConnectAsync(token),
            new AgentRetry(Between, clock),
            (agent, _, _) =>
            {
                reached = agent;
                return Task.CompletedTask;
            },
            fault =>
            {
                if (fault is not null)
                {
                    progress.Seen(AgentCall.Describe(fault));
                }

                return fault is not null;
            },
            cancellationToken
        );
        return reached!;
    }
}
