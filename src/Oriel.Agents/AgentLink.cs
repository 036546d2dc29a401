using Grpc.Core;

namespace Oriel.Agents;

/// <summary>
/// The one shared connection to a desktop's agent: opened on first use, opened again after it broke. Safe for concurrent use.
/// </summary>
/// <param name="patience">Null: as it is by itself.</param>
/// <param name="untrusted">Told once of an answer that no agent gives, by whichever call; nothing is asked of it any more.</param>
public sealed class AgentLink(
    string socketPath,
    byte[] agentKey,
    AgentPatience? patience = null,
    Action<AgentUntrustedException>? untrusted = null
) : IDisposable
{
    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly CancellationTokenSource _closed = new();
    private AgentConnection? _connection;
    private AgentUntrustedException? _fault;

    /// <exception cref="RpcException">The agent does not answer.</exception>
    /// <exception cref="AgentUntrustedException">Something else answers, or the agent has said what none says.</exception>
    /// <exception cref="OperationCanceledException">The caller's token, or the desktop is gone.</exception>
    public async ValueTask<AgentConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        ThrowIfUntrusted();
        if (Volatile.Read(ref _connection) is { IsBroken: false } open)
        {
            return open;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closed.Token);
        await _opening.WaitAsync(either.Token);
        try
        {
            ThrowIfUntrusted();
            if (_connection is { IsBroken: false } meanwhile)
            {
                return meanwhile;
            }

            var fresh = await AgentConnection.OpenAsync(socketPath, agentKey, either.Token, patience, Distrust);
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

    private void Distrust(AgentUntrustedException fault)
    {
        if (Interlocked.CompareExchange(ref _fault, fault, null) is null)
        {
            untrusted?.Invoke(fault);
        }
    }

    private void ThrowIfUntrusted()
    {
        if (Volatile.Read(ref _fault) is { } fault)
        {
            throw new AgentUntrustedException(fault.Message);
        }
    }
}
