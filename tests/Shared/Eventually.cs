using System.Diagnostics;
using Xunit;

namespace Oriel.Tests.Shared;

/// <summary>
/// For what has no event to wait for: looks again and again, with a deadline that tells what was last seen. A source file of several test
/// projects.
/// </summary>
internal static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>A busy machine of two cores is the measure; what holds is seen at once.</summary>
    private static readonly TimeSpan UsualDeadline = TimeSpan.FromSeconds(30);

    /// <summary>Looks until there is nothing wrong any more.</summary>
    /// <param name="stillWrong">What is wrong at present; null once all is as it should be.</param>
    /// <param name="deadline">Default 30 s.</param>
    public static async Task HoldsAsync(Func<Task<string?>> stillWrong, TimeSpan? deadline = null)
    {
        var most = deadline ?? UsualDeadline;
        using var timer = new PeriodicTimer(Pause);
        var watch = Stopwatch.StartNew();
        while (await stillWrong() is { } wrong)
        {
            Assert.True(watch.Elapsed < most, $"after {most.TotalSeconds:0} s: {wrong}");
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The same for what is known at once.</summary>
    /// <param name="lastSeen">Asked only at the deadline.</param>
    public static Task HoldsAsync(Func<bool> holds, Func<string> lastSeen, TimeSpan? deadline = null) =>
        HoldsAsync(() => Task.FromResult(holds() ? null : lastSeen()), deadline);
}
