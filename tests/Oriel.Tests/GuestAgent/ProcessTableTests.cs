using System.Diagnostics;
using Oriel.Linux.Processes;

namespace Oriel.Tests.GuestAgent;

public sealed class ProcessTableTests
{
    private const string Last = "ZZZ_LAST";

    [Fact]
    public async Task TryReadEnvironment_OfAProcessThatBecomesAnother_IsWholeOrNothing()
    {
        // It becomes itself a hundred times, with an environment of some 40 KiB.
        const string Script = "[ \"$1\" = 0 ] || exec sh -c \"$0\" \"$0\" $(($1 - 1))";
        var start = new ProcessStartInfo("sh", ["-c", Script, Script, "100"]) { RedirectStandardOutput = true };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/bin:/bin";
        for (var i = 0; i < 400; i++)
        {
            start.Environment[$"A{i:000}"] = new string('x', 100);
        }

        start.Environment[Last] = "there";
        using var process = Process.Start(start)!;
        var whole = 0;
        while (!process.HasExited)
        {
            // Before its first own program it is this one, whose environment is another.
            if (ProcessTable.TryReadEnvironment(process.Id) is { Count: > 0 } environment && environment.ContainsKey("A000"))
            {
                Assert.True(environment.Count > 400, $"{environment.Count} variables of more than 400");
                whole++;
            }
        }

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(whole > 0, "it was never seen");
    }
}
