using System.Diagnostics;
using System.Globalization;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>Whether a bundle's keeper still lives; safe against recycled process ids (see <see cref="KeeperIdentity"/>).</summary>
internal static class KeeperLiveness
{
    public static bool IsAlive(Bundle bundle) => bundle.ReadIdentity() is { } identity && IsAlive(identity);

    public static bool IsAlive(KeeperIdentity identity) =>
        identity.BootId == BootId()
        && TryReadStat(identity.Pid, out var state, out var startTicks)
        && startTicks == identity.StartTicks
        && state is not ('Z' or 'X');

    /// <summary>Ends the keeper at once, and with it all of its desktop. Does nothing where it is not that process any more.</summary>
    public static void Kill(KeeperIdentity identity)
    {
        try
        {
            using var process = Process.GetProcessById(identity.Pid);
            if (IsAlive(identity))
            {
                process.Kill();
            }
        }
        catch (ArgumentException)
        {
            // Gone already.
        }
    }

    internal static string BootId() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>
    /// State and start time, fields 3 and 22 of proc_pid_stat(5); the name in field 2 may itself hold spaces and brackets.
    /// </summary>
    internal static bool TryReadStat(int pid, out char state, out ulong startTicks)
    {
        (state, startTicks) = ('X', 0);
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            state = fields[0][0];
            return ulong.TryParse(fields[19], NumberStyles.None, CultureInfo.InvariantCulture, out startTicks);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
