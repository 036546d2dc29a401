using Oriel.Linux.Processes;

namespace Oriel.Agent.Session;

/// <summary>
/// Between configuration and session: a cold session starts when the configuration is on disk, a warm one may have to start anew.
/// </summary>
internal sealed class SessionGate
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _renewed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Child? _session;

    public Task Opened => _opened.Task;

    /// <summary>Completes when the session is to start anew; once in a guest's life, since it is configured once.</summary>
    public Task RenewalWanted => _wanted.Task;

    /// <summary>xfce4-session as it runs now; null before the first.</summary>
    public Child? Session => _session;

    public void Open() => _opened.TrySetResult();

    /// <summary>Ends the previous session completely and starts another; returns when that one runs.</summary>
    /// <exception cref="IOException">It does not start.</exception>
    public Task RenewAsync(CancellationToken cancellationToken)
    {
        _wanted.TrySetResult();
        return _renewed.Task.WaitAsync(cancellationToken);
    }

    public void Started(Child session)
    {
        _session = session;
        if (_wanted.Task.IsCompleted)
        {
            _renewed.TrySetResult();
        }
    }

    public void Fail(IOException cause) => _renewed.TrySetException(cause);
}
