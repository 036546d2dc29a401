using Oriel.Linux.Calls;

namespace Oriel.Linux.Processes;

/// <summary>A started process, leader of its own session. Safe for concurrent use; needs no disposal.</summary>
public sealed class Child
{
    private readonly ChildReaper _reaper;
    private readonly TaskCompletionSource<ChildExit> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Child(ChildReaper reaper, int pid) => (_reaper, Pid) = (reaper, pid);

    public int Pid { get; }

    public Task<ChildExit> Exited => _exited.Task;

    /// <returns>False when it has ended.</returns>
    public bool Signal(int signal) => _reaper.Signal(this, Pid, signal);

    /// <summary>The process group that it leads.</summary>
    /// <returns>False when it has ended.</returns>
    public bool SignalGroup(int signal) => _reaper.Signal(this, -Pid, signal);

    /// <summary>
    /// Kills the child and everything of its session: its own group and the groups that a job-controlling shell made. A process that
    /// made a session of its own (a daemon) lives on.
    /// </summary>
    public void KillSession()
    {
        // Members first: while the leader is there, no other session can carry its number.
        foreach (var member in ProcessTable.ReadAll().Where(entry => entry.Session == Pid && entry.Pid != Pid))
        {
            _reaper.Signal(this, member.Pid, ProcessCalls.SigKill);
        }

        SignalGroup(ProcessCalls.SigKill);
    }

    internal void SetExit(ChildExit exit) => _exited.TrySetResult(exit);
}
