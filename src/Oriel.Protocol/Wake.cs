namespace Oriel.Protocol;

/// <summary>
/// Wakes one waiting loop. What is set while the loop is busy counts once, and is not lost: the next wait returns immediately. The loop
/// looks by itself for what has changed. Setting is safe from any thread; waiting is for one at a time.
/// </summary>
public sealed class Wake
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _waiting;
    private bool _isSet;

    /// <summary>Never blocks, and runs nothing of the waiting loop.</summary>
    public void Set()
    {
        lock (_lock)
        {
            _isSet = true;
            _waiting?.TrySetResult();
        }
    }

    /// <summary>Waits until it is set, and resets it.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; what was set stays so.</exception>
    public Task WaitAsync(CancellationToken cancellationToken) => WaitAsync(null, TimeProvider.System, cancellationToken);

    /// <summary>Waits until it is set or the time is over, and resets it.</summary>
    /// <param name="due">How long from now; null = without end, zero or less = not at all.</param>
    /// <returns>Whether it was set; false when the time was over first.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled; what was set stays so.</exception>
    public async Task<bool> WaitAsync(TimeSpan? due, TimeProvider clock, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Task set;
        lock (_lock)
        {
            if (_isSet || due <= TimeSpan.Zero)
            {
                return Take();
            }

            _waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            set = _waiting.Task;
        }

        try
        {
            await set.WaitAsync(due ?? Timeout.InfiniteTimeSpan, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // What was set at the last moment counts.
        }

        lock (_lock)
        {
            return Take();
        }
    }

    private bool Take()
    {
        var was = _isSet;
        _isSet = false;
        return was;
    }
}
