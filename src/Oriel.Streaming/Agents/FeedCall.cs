using Microsoft.Extensions.Logging;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Streaming.Settings;

namespace Oriel.Streaming.Agents;

/// <summary>What every call to an agent shares.</summary>
internal sealed record FeedContext(
    DesktopId Desktop,
    IAgentLinks Links,
    StreamingOptions Options,
    StreamingMetrics Metrics,
    TimeProvider Clock,
    ILogger Logger
);

/// <summary>Keeps one streaming call to an agent going while the desktop lives.</summary>
internal static class FeedCall
{
    /// <param name="call">Runs one call to its end; invokes its second argument once the call works.</param>
    /// <returns>Completes when cancelled, or when the desktop is gone.</returns>
    public static async Task RunAsync(
        FeedContext context,
        string name,
        Func<AgentConnection, Action, CancellationToken, Task> call,
        CancellationToken cancellationToken
    )
    {
        // Retries after any fault: the next attempt or the desktop's state decides.
        var retry = new AgentRetry(context.Options.RetryMin, context.Options.RetryMax, context.Clock) { Covers = _ => true };
        try
        {
            await AgentCall.RunAsync(
                token => context.Links.ConnectAsync(context.Desktop, token),
                retry,
                call,
                ShouldRetry,
                cancellationToken
            );
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The feed, or the viewer, has ended.
        }

        bool ShouldRetry(Exception? fault)
        {
            var end = fault is null ? "was ended by the agent" : "broke";
            context.Logger.LogDebug(fault, "{Call} call of {Desktop} {End}.", name, context.Desktop, end);
            context.Metrics.AgentBreaks.Add(1, new KeyValuePair<string, object?>("call", name));
            return context.Links.Look(context.Desktop) is not (DesktopAvailability.Gone or DesktopAvailability.Unknown);
        }
    }
}
