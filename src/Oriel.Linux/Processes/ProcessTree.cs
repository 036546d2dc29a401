using System.Diagnostics;
using Oriel.Linux.Calls;

namespace Oriel.Linux.Processes;

/// <summary>Ends a started process with all that it started.</summary>
public static class ProcessTree
{
    /// <summary>
    /// A stopped process says so within microseconds; one that waits for a disk may take longer, and cannot fork meanwhile.
    /// </summary>
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Kills the process and its descendants. Each one has stopped before its children are listed: a fork that was under way when the
    /// signal came still ends, and its child would be in no list. What this user may not signal (set-uid programs) is left, and so is what
    /// its parent has outlived. Does nothing to a process that has ended.
    /// </summary>
    public static void Kill(Process root)
    {
        try
        {
            if (!root.HasExited)
            {
                KillDescendants(root.Id);
                root.Kill();
            }
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It ended meanwhile.
        }
    }

    private static void KillDescendants(int pid)
    {
        if (!TryStop(pid))
        {
            return;
        }

        foreach (var child in ProcessTable.ReadAll().Where(entry => entry.Parent == pid))
        {
            KillDescendants(child.Pid);
            _ = ProcessCalls.Kill(child.Pid, ProcessCalls.SigKill);
        }
    }

    private static bool TryStop(int pid)
    {
        if (ProcessCalls.Kill(pid, ProcessCalls.SigStop) < 0)
        {
            return false;
        }

        SpinWait.SpinUntil(() => !ProcessTable.TryRead(pid, out var entry) || entry.State is 'T' or 't' or 'Z' or 'X', StopDeadline);
        return true;
    }
}
