namespace Oriel.Desktops.Snapshots;

/// <summary>Counts restores in progress per directory and runs a deferred action when the last one ends. Safe for concurrent use.</summary>
internal sealed class SnapshotUses
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _taken = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Action> _waiting = new(StringComparer.Ordinal);

    /// <returns>To be disposed once it is not needed any more; a second time does nothing.</returns>
    public IDisposable Take(string directory)
    {
        lock (_lock)
        {
            _taken[directory] = _taken.GetValueOrDefault(directory) + 1;
        }

        return new Taken(this, directory);
    }

    /// <summary>Runs the action immediately if the directory is not in use, else when the last use ends.</summary>
    public void WhenFree(string directory, Action action)
    {
        lock (_lock)
        {
            if (_taken.ContainsKey(directory))
            {
                _waiting[directory] = action;
                return;
            }
        }

        action();
    }

    private void Release(string directory)
    {
        Action? action = null;
        lock (_lock)
        {
            if (--_taken[directory] == 0)
            {
                _taken.Remove(directory);
                _waiting.Remove(directory, out action);
            }
        }

        action?.Invoke();
    }

    private sealed class Taken(SnapshotUses uses, string directory) : IDisposable
    {
        private bool _released;

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _released, true))
            {
                uses.Release(directory);
            }
        }
    }
}
