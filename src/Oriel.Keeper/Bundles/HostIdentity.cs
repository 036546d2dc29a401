using Oriel.Linux.Machine;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Bundles;

/// <summary>Who this process is in the pid namespace of whoever started it. Must be asked before /proc is mounted anew.</summary>
internal static class HostIdentity
{
    /// <exception cref="InvalidDataException">The host's /proc is not there.</exception>
    public static KeeperIdentity Read() =>
        ProcessTable.TryReadSelf(out var self)
            ? new KeeperIdentity(self.Pid, self.StartTicks, BootId.Read(), KeeperIdentity.CurrentVersion)
            : throw new InvalidDataException("/proc/self/stat does not look like proc(5).");
}
