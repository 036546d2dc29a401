using System.Globalization;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Bundles;

/// <summary>Who this process is in the pid namespace of whoever started it. Must be asked before /proc is mounted anew.</summary>
internal static class HostIdentity
{
    /// <param name="procStat">The text of /proc/self/stat, read through the host's /proc.</param>
    public static KeeperIdentity Parse(string procStat, string bootId)
    {
        // The second field, the command, is in brackets and may hold anything; the fields after the last bracket are numbers (proc(5)).
        var close = procStat.LastIndexOf(')');
        var open = procStat.IndexOf('(');
        var rest = close < 0 ? [] : procStat[(close + 2)..].Split(' ');
        if (open < 2 || rest.Length < 20)
        {
            throw new InvalidDataException("/proc/self/stat does not look like proc(5).");
        }

        var pid = int.Parse(procStat.AsSpan(0, open - 1), CultureInfo.InvariantCulture);
        return new KeeperIdentity(pid, ulong.Parse(rest[19], CultureInfo.InvariantCulture), bootId.Trim(), KeeperIdentity.CurrentVersion);
    }

    public static KeeperIdentity Read() => Parse(File.ReadAllText("/proc/self/stat"), File.ReadAllText("/proc/sys/kernel/random/boot_id"));
}
