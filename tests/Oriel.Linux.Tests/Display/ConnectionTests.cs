using Oriel.Linux.X11;

namespace Oriel.Linux.Tests.Display;

public sealed class ConnectionTests
{
    /// <summary>Without the gate around opening and closing, libXext's freed list corrupts the heap within the first hundred: the process dies.</summary>
    [Fact]
    public async Task Connection_OpenedAndClosedByManyThreads_KeepsTheHeapWhole()
    {
        const int Threads = 4, Rounds = 200;
        await using var server = await XServer.StartAsync();
        var sizes = await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
            () => Enumerable.Range(0, Rounds).Select(_ => thread % 2 == 0 ? ReadSize(server) : OpenClipboard(server)).ToArray(),
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        Assert.Equal(Threads * Rounds, sizes.Sum(row => row.Count(done => done)));
    }

    private static bool ReadSize(XServer server) => XScreenSize.Read(server.Address.Name, server.Address.AuthorityPath).Width > 0;

    private static bool OpenClipboard(XServer server)
    {
        using var clipboard = XClipboard.Open(server.Address.Name, server.Address.AuthorityPath);
        clipboard.ReadEvents();
        return clipboard.Descriptor >= 0;
    }
}
