using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Desktops.Guests;

/// <summary>Warns while there is little room on a desktop's own disk.</summary>
internal static class ScratchWatch
{
    /// <summary>Between two looks at what a guest reports, however much that is: what was not read waits in the guest.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Ends by cancellation or with the connection; never throws, as whoever watches the guest's steps on the same connection judges its
    /// end.
    /// </summary>
    public static async Task FollowAsync(AgentConnection agent, Reports reports, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (!DesktopDriver.HasScratchDiskOf(reports.View.Driver))
        {
            return;
        }

        try
        {
            var isLow = reports.View.Warnings.Any(warning => warning.Code == WarningCodes.ScratchFull);
            using var call = agent.Guest.WatchDisk(new WatchDiskRequest(), cancellationToken: cancellationToken);
            await foreach (var disk in call.ResponseStream.ReadFairlyAsync(cancellationToken))
            {
                var room = new ScratchRoom(disk.TotalBytes, disk.FreeBytes, disk.TotalFiles, disk.FreeFiles);
                if (room.IsLow(isLow) != isLow)
                {
                    isLow = !isLow;
                    reports.Warn(WarningCodes.ScratchFull, isLow ? room.Message : null);
                }

                await Task.Delay(Pace, clock, cancellationToken);
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            // Gone, or an agent of an older image, which has no such call.
        }
    }
}
