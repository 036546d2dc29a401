namespace Oriel.Linux.Tests.Keeper;

internal static class Waiting
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Looks until the condition holds; there is no event to wait for where another process is watched.</summary>
    public static async Task ForAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(KeeperRing.Deadline);
        while (!condition())
        {
            if (limit.IsCancellationRequested)
            {
                throw new TimeoutException($"Not seen within {KeeperRing.Deadline.TotalSeconds} s: {what}");
            }

            await Task.Delay(Pause, CancellationToken.None);
        }
    }
}
