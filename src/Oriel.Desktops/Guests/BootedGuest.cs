using Oriel.Agents;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Guests;

/// <summary>A guest whose agent has proven itself.</summary>
internal sealed class BootedGuest(KeeperSpec keeper, AgentConnection agent)
{
    private long _reportedUs = -1;

    public KeeperSpec Keeper => keeper;

    public AgentConnection Agent => agent;

    public bool IsRestored => keeper.Snapshot is { IsRestore: true };

    /// <summary>
    /// Of the newest step that was reported, in microseconds since the guest began; -1 at first. The agent reports each step again to
    /// whoever begins to listen.
    /// </summary>
    public long ReportedUs => Interlocked.Read(ref _reportedUs);

    public void Reported(GuestStep step) => Reported(step.SinceBootUs);

    public void Reported(long us) => Interlocked.Exchange(ref _reportedUs, Math.Max(Interlocked.Read(ref _reportedUs), us));
}
