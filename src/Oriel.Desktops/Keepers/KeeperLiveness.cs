using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Keepers;

/// <summary>Whether a bundle's keeper still lives; safe against recycled process ids (see <see cref="KeeperIdentity"/>).</summary>
internal static class KeeperLiveness
{
    private const int MaxFileBytes = 256 * 1024;

    public static bool IsAlive(string bundle) => ReadIdentity(bundle) is { } identity && IsAlive(identity);

    /// <summary>Null when the keeper has not written who it is, or wrote something else.</summary>
    public static KeeperIdentity? ReadIdentity(string bundle) =>
        Read(bundle, BundleLayout.Identity, KeeperJsonContext.Default.KeeperIdentity) is { BootId: not null } identity ? identity : null;

    /// <summary>The keeper's last event, if it could still write it.</summary>
    public static KeeperExit? ReadExit(string bundle) =>
        Read(bundle, BundleLayout.Exit, KeeperMessageContext.Default.KeeperMessage) as KeeperExit;

    /// <summary>Null when there is none, or one that no keeper could run by.</summary>
    public static KeeperSpec? ReadSpec(string bundle) =>
        Read(bundle, BundleLayout.Spec, KeeperJsonContext.Default.KeeperSpec)
            is { DesktopId: not null, EgressKey.Length: GuestRules.KeyBytes, AgentKey.Length: GuestRules.KeyBytes, Limits: not null } spec
            ? spec
            : null;

    private static T? Read<T>(string bundle, string name, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            var file = new FileInfo(Path.Combine(bundle, name));
            return file.Exists && file.Length <= MaxFileBytes ? JsonSerializer.Deserialize(File.ReadAllBytes(file.FullName), type) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or NotSupportedException)
        {
            return null;
        }
    }

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
