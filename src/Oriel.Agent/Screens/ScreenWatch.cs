using Oriel.Protocol;
using Oriel.Protocol.Display;

namespace Oriel.Agent.Screens;

/// <summary>One watcher's unread states, at most one of each kind.</summary>
internal sealed class ScreenWatch(Action<ScreenWatch> remove) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<DisplayEvent> _unread = [];
    private readonly Wake _wake = new();
    private Exception? _ended;

    internal void Post(DisplayEvent state)
    {
        lock (_lock)
        {
            _unread.RemoveAll(other => other.KindCase == state.KindCase);
            _unread.Add(state);
            _wake.Set();
        }
    }

    internal void End(Exception cause)
    {
        lock (_lock)
        {
            _ended = cause;
            _wake.Set();
        }
    }

    /// <summary>Waits for changes and takes them.</summary>
    /// <exception cref="Exception">What ended the monitor, once everything before it has been read.</exception>
    internal async Task<IReadOnlyList<DisplayEvent>> ReadAsync(CancellationToken cancel)
    {
        while (true)
        {
            await _wake.WaitAsync(cancel);
            lock (_lock)
            {
                if (_unread.Count > 0)
                {
                    var states = _unread.ToArray();
                    _unread.Clear();
                    if (_ended is not null)
                    {
                        _wake.Set();
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

    public void Dispose() => remove(this);
}
