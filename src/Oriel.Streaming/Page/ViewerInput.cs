using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Streaming.Agents;

namespace Oriel.Streaming.Page;

/// <summary>
/// One viewer's Input call. A waiting move is replaced by the next one; keys, buttons and text are never dropped while the link is up. When
/// the link breaks, the agent releases everything and waiting input is discarded: a key typed seconds ago must not arrive later.
/// </summary>
internal sealed class ViewerInput : IAsyncDisposable
{
    private const int MaxWaiting = 4096;

    private readonly FeedContext _context;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly LinkedList<InputEvent> _waiting = new();
    private readonly Wake _wake = new();
    private readonly Task _run;
    private uint _pointerSequence;
    private bool _pointerSeen;
    private bool _linked;
    private bool _closing;

    public ViewerInput(FeedContext context)
    {
        _context = context;
        _run = Task.Run(() => FeedCall.RunAsync(context, "Input", SendAsync, _stop.Token));
    }

    /// <returns>False when it is not newer than the last one.</returns>
    public bool Pointer(PointerMessage pointer)
    {
        lock (_lock)
        {
            if (_pointerSeen && (int)(pointer.Sequence - _pointerSequence) <= 0)
            {
                return false;
            }

            _pointerSeen = true;
            _pointerSequence = pointer.Sequence;
        }

        Add(InputParser.Move(pointer.X, pointer.Y));
        return true;
    }

    public void Add(InputEvent input)
    {
        lock (_lock)
        {
            if (_closing)
            {
                return;
            }

            if (input.KindCase == InputEvent.KindOneofCase.Move && _waiting.Last is { Value.KindCase: InputEvent.KindOneofCase.Move } last)
            {
                last.Value = input;
            }
            else if (_waiting.Count >= MaxWaiting)
            {
                // Nobody types 4096 events ahead of a working agent: start over with nothing held down.
                _waiting.Clear();
                _waiting.AddLast(new InputEvent { ReleaseAll = true });
            }
            else if (_linked || input.KindCase == InputEvent.KindOneofCase.ReleaseAll || _waiting.Count < 64)
            {
                _waiting.AddLast(input);
            }
        }

        _wake.Set();
    }

    /// <summary>Ends the call; the agent releases what this viewer held.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _closing = true;
            _waiting.Clear();
            _waiting.AddLast(new InputEvent { ReleaseAll = true });
        }

        _wake.Set();
        try
        {
            await _run.WaitAsync(TimeSpan.FromSeconds(1), _context.Clock);
        }
        catch (TimeoutException)
        {
            await _stop.CancelAsync();
            await _run;
        }

        _stop.Dispose();
    }

    private async Task SendAsync(AgentConnection agent, Action works, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = agent.Display.Input(cancellationToken: ended.Token);
        var summary = EndWithAsync(call.ResponseAsync, ended);
        try
        {
            lock (_lock)
            {
                _linked = true;
            }

            while (true)
            {
                while (Take() is { } next)
                {
                    await call.RequestStream.WriteAsync(next, ended.Token);
                    works();
                    _context.Metrics.Input.Add(1);
                }

                if (_closing)
                {
                    await call.RequestStream.CompleteAsync();
                    await call.ResponseAsync;
                    await _stop.CancelAsync();
                    return;
                }

                await _wake.WaitAsync(ended.Token);
            }
        }
        finally
        {
            lock (_lock)
            {
                _linked = false;
                if (!_closing)
                {
                    _waiting.Clear();
                }
            }

            await ended.CancelAsync();
            await summary;
        }
    }

    /// <summary>Stops the writer's wait when the agent ends the call, which happens only if the link or the agent breaks.</summary>
    private static async Task EndWithAsync(Task<InputSummary> response, CancellationTokenSource ended)
    {
        try
        {
            await response;
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            await ended.CancelAsync();
        }
    }

    private InputEvent? Take()
    {
        lock (_lock)
        {
            var first = _waiting.First;
            if (first is not null)
            {
                _waiting.RemoveFirst();
            }

            return first?.Value;
        }
    }
}
