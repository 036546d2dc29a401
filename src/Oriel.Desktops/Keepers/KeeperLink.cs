using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>
/// The lasting link to one desktop's keeper: reconnects while the keeper's process lives, passes each event on once although the
/// keeper sends all of them again on every connection, and says so once when the keeper has ended.
/// </summary>
internal sealed class KeeperLink(Bundle bundle, TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    /// <summary>Not an end: the link was let go while the keeper lived.</summary>
    public const string Detached = "detached";

    /// <summary>The problem of a question that had no connection, or lost it.</summary>
    public const string NoAnswer = "the keeper does not answer";

    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<KeeperEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<KeeperEvent> _atLast = [];
    private readonly ConcurrentDictionary<long, Question> _asked = new();
    private KeeperClient? _client;
    private Task _reading = Task.CompletedTask;
    private long _lastAtUs = -1;
    private long _lastId;
    private KeeperExit? _exited;

    /// <summary>Completes when the keeper's process is no more; never faults.</summary>
    public Task<KeeperEnd> Ended => _ended.Task;

    /// <summary>Begins to read; returns immediately.</summary>
    /// <param name="handler">Called for each event in turn; must not block for long.</param>
    public void Start(Action<KeeperEvent> handler) => _reading = Task.Run(() => ReadAsync(handler));

    /// <summary>Sends a command and waits for its answer.</summary>
    /// <param name="command">Made with the id that it gets.</param>
    /// <param name="deadline"><see cref="Timeout.InfiniteTimeSpan"/> for none. An answer that comes later is nobody's: what it changed is
    /// reported by events.</param>
    /// <returns>Why it was not done, as far as is known; null = it was.</returns>
    public async Task<string?> AskAsync(Func<long, KeeperCommand> command, TimeSpan deadline, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _client) is not { } client)
        {
            return NoAnswer;
        }

        var id = Interlocked.Increment(ref _lastId);
        var asked = new Question(client);
        _asked[id] = asked;
        try
        {
            await client.SendAsync(command(id), cancellationToken);
            if (Volatile.Read(ref _client) != client)
            {
                // It broke, perhaps before the question was among those that end with it; an answer that came counts.
                asked.Answer.TrySetResult(NoAnswer);
            }

            return await asked.Answer.Task.WaitAsync(deadline, clock, cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            return NoAnswer;
        }
        catch (TimeoutException)
        {
            return $"the keeper has not answered for {deadline.TotalSeconds:0} s";
        }
        finally
        {
            _asked.TryRemove(id, out _);
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
        var path = bundle.KeeperSocket;
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
                        Take(item, client, handler);
                    }
                }
                catch (Exception e) when (e is SocketException or IOException or InvalidDataException)
                {
                    logger.LogDebug(e, "Keeper link of {Bundle} broke", bundle);
                }
                finally
                {
                    Break(Interlocked.Exchange(ref _client, null));
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
        var last = _exited ?? bundle.ReadExit();
        return new KeeperEnd(last?.Reason, last?.Detail);
    }

    private void Take(KeeperMessage message, KeeperClient client, Action<KeeperEvent> handler)
    {
        switch (message)
        {
            case KeeperReply reply when _asked.TryGetValue(reply.Id, out var asked) && asked.Client == client:
                asked.Answer.TrySetResult(reply.Problem);
                break;
            case KeeperEvent item:
                Pass(item, handler);
                break;
        }
    }

    /// <summary>Answers go to the connection that asked: with it goes every question that is still open.</summary>
    private void Break(KeeperClient? client)
    {
        foreach (var asked in _asked.Values.Where(asked => asked.Client == client))
        {
            asked.Answer.TrySetResult(NoAnswer);
        }
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
            _exited = item as KeeperExit ?? _exited;
            try
            {
                handler(item);
            }
            // Whatever one event breaks, the keeper's end must still be seen.
            catch (Exception e)
            {
                logger.LogError(e, "A keeper's event of {Bundle} was not taken", bundle);
            }
        }
    }

    private sealed record Question(KeeperClient Client)
    {
        public TaskCompletionSource<string?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>How a keeper ended: with the guest's reason if it could still say one.</summary>
internal sealed record KeeperEnd(string? Code, string? Detail);
