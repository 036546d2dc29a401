using Oriel.Linux.Files;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// The room left on the desktop's own disk, for as long as somebody watches. A guest whose disk does not change sends nothing.
/// </summary>
internal sealed class DiskWatch(TimeProvider clock)
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(5);

    /// <summary>Reports what there is, then every change; ends by cancellation only.</summary>
    public async Task FollowAsync(Func<DiskRoom, Task> tell, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Between, clock);
        DiskRoom? reported = null;
        do
        {
            var seen = Look();
            if (!seen.Equals(reported))
            {
                await tell(reported = seen);
            }
        } while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    private static DiskRoom Look()
    {
        var room = FileSystemRoom.Of("/");
        return new DiskRoom
        {
            TotalBytes = room.TotalBytes,
            FreeBytes = room.FreeBytes,
            TotalFiles = room.TotalFiles,
            FreeFiles = room.FreeFiles,
        };
    }
}
