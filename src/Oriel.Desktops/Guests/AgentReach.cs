using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Steps;

namespace Oriel.Desktops.Guests;

/// <summary>Opens the agent link, as often as it takes within the step's deadline.</summary>
internal static class AgentReach
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(25);

    /// <param name="linkOf">Null when the desktop is on its way out.</param>
    public static async Task<AgentConnection> WaitAsync(Func<AgentLink?> linkOf, StepProgress progress, TimeProvider clock, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var link = linkOf() ?? throw new OperationCanceledException("The desktop is going.");
                return await link.ConnectAsync(cancellationToken);
            }
            catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
            {
                progress.Seen($"{e.StatusCode}: {e.Status.Detail}");
                await Task.Delay(Between, clock, cancellationToken);
            }
        }
    }
}
