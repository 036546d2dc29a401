using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Keepers;

/// <summary>
/// The lasting link to one desktop's keeper: reconnects while the keeper's process lives, passes each event on once although the
/// keeper sends all of them again on every connection, and says so once when the keeper has ended.
/// </summary>
internal sealed class KeeperLink(string bundle, TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    /// <summary>Not an end: the link was let go while the keeper lived.</summary>
    public const string Detached = "detached";

    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<KeeperEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<KeeperEvent> _atLast = [];
    private KeeperClient? _client;
    private Task _reading = Task.CompletedTask;
    private long _lastAtUs = -1;
    private KeeperEvent? _exited;

    /// <summary>Completes when the keeper's process is no more; never faults.</summary>
    public Task<KeeperEnd> Ended => _ended.Task;

    /// <summary>Begins to read; returns at once.</summary>
    /// <param name="handler">Called for each event in turn; must not block for long.</param>
    public void Start(Action<KeeperEvent> handler) => _reading = Task.Run(() => ReadAsync(handler));

    /// <returns>False when the keeper does not answer any more.</returns>
    public async Task<bool> SendAsync(KeeperCommand command, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _client) is not { } client)
        {
            return false;
        }

        try
        {
            await client.SendAsync(command, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        await _reading;
        _ended.TrySetResult(new KeeperEnd(Detached, null));
        _stopping.Dispose();
    }

    private async Task ReadAsync(Action<KeeperEvent> handler)
    {
        var path = Path.Combine(bundle, BundleLayout.KeeperSocket);
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                try
                {
                    await using var client = await KeeperClient.ConnectAsync(path, _stopping.Token);
                    Volatile.Write(ref _client, client);
                    await foreach (var item in client.ReadAsync(_stopping.Token))
                    {
                        Pass(item, handler);
                    }
                }
                catch (Exception e) when (e is SocketException or IOException or InvalidDataException)
                {
                    logger.LogDebug(e, "Keeper link of {Bundle} broke", bundle);
                }
                finally
                {
                    Volatile.Write(ref _client, null);
                }

                if (!KeeperLiveness.IsAlive(bundle))
                {
                    _ended.TrySetResult(End());
                    return;
                }

                // The process lives but its socket does not answer: it is just ending, or just starting.
                await Task.Delay(TimeSpan.FromMilliseconds(50), clock, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed: the server goes, the keeper lives on.
        }
    }

    /// <summary>What the keeper said last, over its socket or, to a server that was away, in its bundle.</summary>
    private KeeperEnd End()
    {
        var last = _exited ?? KeeperLiveness.ReadExit(bundle);
        return new KeeperEnd(last?.Name, last?.Detail);
    }

    private void Pass(KeeperEvent item, Action<KeeperEvent> handler)
    {
        if (item.AtUs < _lastAtUs)
        {
            return;
        }

        if (item.AtUs > _lastAtUs)
        {
            _lastAtUs = item.AtUs;
            _atLast.Clear();
        }

        if (_atLast.Add(item))
        {
            _exited = item.Type == "exited" ? item : _exited;
            try
            {
                handler(item);
            }
#pragma warning disable CA1031 // Whatever one event breaks, the keeper's end must still be seen.
            catch (Exception e)
#pragma warning restore CA1031
            {
                logger.LogError(e, "A keeper's event of {Bundle} was not taken", bundle);
            }
        }
    }
}

/// <summary>How a keeper ended: with the guest's reason if it could still say one.</summary>
internal sealed record KeeperEnd(string? Code, string? Detail);
