using Oriel.Linux.Processes;

namespace Oriel.Agent.Session;

/// <summary>Between configuration and session: the session starts when the configuration is on disk; who asks learns which process it is.</summary>
internal sealed class SessionGate
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Child> _session = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Opened => _opened.Task;

    public Task<Child> Session => _session.Task;

    public void Open() => _opened.TrySetResult();

    public void Started(Child session) => _session.TrySetResult(session);
}
