using System.Diagnostics;
using Oriel.Linux.Machine;
using Oriel.Linux.Processes;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>Whether a bundle's keeper still lives; safe against recycled process ids (see <see cref="KeeperIdentity"/>).</summary>
internal static class KeeperLiveness
{
    public static bool IsAlive(Bundle bundle) => bundle.ReadIdentity() is { } identity && IsAlive(identity);

    public static bool IsAlive(KeeperIdentity identity) =>
        identity.BootId == BootId.Read()
        && ProcessTable.TryRead(identity.Pid, out var entry)
        && entry.StartTicks == identity.StartTicks
        && entry.State is not ('Z' or 'X');

    /// <summary>Kills the keeper, and with it all of its desktop. Does nothing where it is not that process any more.</summary>
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
}
