using System.Runtime.CompilerServices;
using Grpc.Core;

namespace Oriel.Agents;

/// <summary>How streams of an agent are read.</summary>
public static class AgentStream
{
    /// <summary>
    /// Each message as it comes, leaving the thread after each one. An agent that sends as fast as it is read would otherwise keep the
    /// reader's thread for itself: nothing that is there already is waited for.
    /// </summary>
    /// <exception cref="RpcException">The call has failed, or was cancelled.</exception>
    public static async IAsyncEnumerable<T> ReadFairlyAsync<T>(
        this IAsyncStreamReader<T> stream,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        while (await stream.MoveNext(cancellationToken))
        {
            yield return stream.Current;
            await Task.Yield();
        }
    }
}
