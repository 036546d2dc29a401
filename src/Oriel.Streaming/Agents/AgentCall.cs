using Grpc.Core;
using Microsoft.Extensions.Logging;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Streaming.Settings;

namespace Oriel.Streaming.Agents;

/// <summary>What every call to an agent shares.</summary>
internal sealed record FeedContext(DesktopId Desktop, IAgentLinks Links, StreamingOptions Options, StreamingMetrics Metrics, TimeProvider Time, ILogger Logger);

/// <summary>Keeps one streaming call to an agent going: made again, with growing pauses, when it breaks while the desktop lives.</summary>
internal static class AgentCall
{
    /// <param name="body">Runs one call to its end; calls its second argument once the call works, which resets the pauses.</param>
    /// <returns>When cancelled, or when the desktop is gone.</returns>
    public static async Task RunAsync(FeedContext context, string name, Func<AgentConnection, Action, CancellationToken, Task> body, CancellationToken cancellationToken)
    {
        var pause = context.Options.RetryMin;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var agent = await context.Links.ConnectAsync(context.Desktop, cancellationToken);
                await body(agent, () => pause = context.Options.RetryMin, cancellationToken);
                context.Logger.LogDebug("{Call} call of {Desktop} was ended by the agent.", name, context.Desktop);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (RpcException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever broke the call, the next try or the desktop's state decides.
            catch (Exception fault)
#pragma warning restore CA1031
            {
                context.Logger.LogDebug(fault, "{Call} call of {Desktop} broke.", name, context.Desktop);
            }

            context.Metrics.AgentBreaks.Add(1, new KeyValuePair<string, object?>("call", name));
            if (context.Links.Look(context.Desktop) is DesktopAvailability.Gone or DesktopAvailability.Unknown)
            {
                return;
            }

            try
            {
                await Task.Delay(pause, context.Time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, context.Options.RetryMax.Ticks));
        }
    }
}
