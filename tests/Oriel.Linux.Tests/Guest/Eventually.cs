namespace Oriel.Linux.Tests.Guest;

/// <summary>For what has no event to wait for: looks again until it is so, or the deadline says what was last seen.</summary>
internal static class Eventually
{
    private static readonly TimeSpan _lookAgain = TimeSpan.FromMilliseconds(50);

    public static async Task TrueAsync(Func<Task<bool>> look, string lastSeen, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await look())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < GuestUnderTest.Deadline, lastSeen);
            await Task.Delay(_lookAgain, cancellationToken);
        }
    }
}
