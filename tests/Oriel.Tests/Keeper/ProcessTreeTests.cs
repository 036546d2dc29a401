using System.Diagnostics;
using Oriel.Linux.Processes;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Keeper;

public sealed class ProcessTreeTests
{
    /// <summary>
    /// A fork of so much memory takes some 7 ms. Signals that come while it is under way leave it time to end, behind a list of children.
    /// </summary>
    [Fact]
    public async Task Kill_AmidAFork_LeavesNoChild()
    {
        var mark = $"{Random.Shared.Next(100_000, 999_999)}";
        for (var i = 0; i < 16; i++)
        {
            using var process = Process.Start(
                new ProcessStartInfo("perl", ["-e", "$| = 1; my $memory = 'x' x (1 << 26); print qq(ready\n); fork; sleep shift", mark])
                {
                    RedirectStandardOutput = true,
                }
            )!;
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            SpinWait.SpinUntil(() => false, TimeSpan.FromMilliseconds(i / 2));
            ProcessTree.Kill(process);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await Eventually.HoldsAsync(() => Left(mark).Count == 0, () => $"{Left(mark).Count} of 16 left a child", TimeSpan.FromSeconds(10));
    }

    private static List<ProcessEntry> Left(string mark) =>
        [.. ProcessTable.ReadAll().Where(entry => ProcessTable.CommandLineOf(entry.Pid).Contains(mark, StringComparison.Ordinal))];
}
