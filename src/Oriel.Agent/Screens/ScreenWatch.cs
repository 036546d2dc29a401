using Oriel.Protocol.Display;

namespace Oriel.Agent.Screens;

/// <summary>One watcher's unread states, at most one of each kind.</summary>
internal sealed class ScreenWatch(Action<ScreenWatch> remove) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<DisplayEvent> _unread = [];
    private readonly SemaphoreSlim _signal = new(0, 1);
    private Exception? _ended;

    internal void Post(DisplayEvent state)
    {
        lock (_lock)
        {
            _unread.RemoveAll(other => other.KindCase == state.KindCase);
            _unread.Add(state);
            Signal();
        }
    }

    internal void End(Exception cause)
    {
        lock (_lock)
        {
            _ended = cause;
            Signal();
        }
    }

    /// <summary>Waits for changes and takes them.</summary>
    /// <exception cref="Exception">What ended the monitor, once everything before it has been read.</exception>
    internal async Task<IReadOnlyList<DisplayEvent>> ReadAsync(CancellationToken cancel)
    {
        while (true)
        {
            await _signal.WaitAsync(cancel);
            lock (_lock)
            {
                if (_unread.Count > 0)
                {
                    var states = _unread.ToArray();
                    _unread.Clear();
                    if (_ended is not null)
                    {
                        Signal();
                    }

                    return states;
                }

                if (_ended is not null)
                {
                    throw _ended;
                }
            }
        }
    }

    public void Dispose()
    {
        remove(this);
        // The semaphore has no handle to free, and a Post may still be on its way.
    }

    private void Signal()
    {
        if (_signal.CurrentCount == 0)
        {
            _signal.Release();
        }
    }
}
