using Grpc.Core;

namespace Oriel.Agents;

/// <summary>When a call that broke is made again.</summary>
/// <param name="First">Pause after the first break. It doubles with each further one.</param>
/// <param name="Longest">Longest pause.</param>
public sealed record AgentRetry(TimeSpan First, TimeSpan Longest, TimeProvider Clock)
{
    /// <summary>Pauses of one length.</summary>
    public AgentRetry(TimeSpan pause, TimeProvider clock)
        : this(pause, pause, clock) { }

    /// <summary>Which faults count as a break; others pass to the caller. By default an agent that refuses or is away.</summary>
    public Func<Exception, bool> Covers { get; init; } = fault => fault is RpcException or TimeoutException;
}

/// <summary>The way to make a call that outlives a connection.</summary>
public static class AgentCall
{
    /// <summary>Makes a call again, on a connection that works, whenever it breaks.</summary>
    /// <param name="connect">Gets the connection, anew for each attempt.</param>
    /// <param name="call">Runs one call to its end. It invokes its second argument once the call works, which resets the pauses.</param>
    /// <param name="shouldRetry">Asked after each attempt, with the fault, or null where the agent ended the call. False: no more.</param>
    /// <exception cref="OperationCanceledException">Cancelled, whatever the call made of it.</exception>
    public static async Task RunAsync(
        Func<CancellationToken, ValueTask<AgentConnection>> connect,
        AgentRetry retry,
        Func<AgentConnection, Action, CancellationToken, Task> call,
        Func<Exception?, bool> shouldRetry,
        CancellationToken cancellationToken
    )
    {
        var pause = retry.First;
        while (true)
        {
            Exception? fault = null;
            try
            {
                var agent = await connect(cancellationToken);
                await call(agent, () => pause = retry.First, cancellationToken);
            }
            catch (Exception e) when (retry.Covers(e))
            {
                fault = e;
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (!shouldRetry(fault))
            {
                return;
            }

            await Task.Delay(pause, retry.Clock, cancellationToken);
            pause = pause * 2 < retry.Longest ? pause * 2 : retry.Longest;
        }
    }

    /// <summary>What broke, in words for whoever waits.</summary>
    public static string Describe(Exception fault) => fault is RpcException e ? $"{e.StatusCode}: {e.Status.Detail}" : fault.Message;
}
