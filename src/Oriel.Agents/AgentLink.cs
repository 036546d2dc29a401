using Grpc.Core;

namespace Oriel.Agents;

/// <summary>
/// The one shared connection to a desktop's agent: opened on first use, opened again after it broke. Safe for concurrent use.
/// </summary>
public sealed class AgentLink(string socketPath, byte[] agentKey) : IDisposable
{
    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly CancellationTokenSource _closed = new();
    private AgentConnection? _connection;

    /// <exception cref="RpcException">The agent does not answer.</exception>
    /// <exception cref="AgentIdentityException">Something else answers.</exception>
    /// <exception cref="OperationCanceledException">The caller's token, or the desktop is gone.</exception>
    public async ValueTask<AgentConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _connection) is { IsBroken: false } open)
        {
            return open;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closed.Token);
        await _opening.WaitAsync(either.Token);
        try
        {
            if (_connection is { IsBroken: false } meanwhile)
            {
                return meanwhile;
            }

            var fresh = await AgentConnection.OpenAsync(socketPath, agentKey, either.Token);
            var old = Interlocked.Exchange(ref _connection, fresh);
            old?.Dispose();
            return fresh;
        }
        finally
        {
            _opening.Release();
        }
    }

    public void Dispose()
    {
        _closed.Cancel();
        Interlocked.Exchange(ref _connection, null)?.Dispose();
    }
}
