using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Clipboard;
using Oriel.Screen.X11.Raw;

namespace Oriel.Linux.Tests.Display;

public sealed class ConnectionTests
{
    /// <summary>
    /// Without the gate around opening and closing, libXext's freed list corrupts the heap within the first hundred: the process dies.
    /// </summary>
    [Fact]
    public async Task Connection_OpenedAndClosedByManyThreads_KeepsTheHeapWhole()
    {
        const int Threads = 4,
            Rounds = 200;
        await using var server = await XServer.StartAsync();
        var done = await Task.WhenAll(
            Enumerable
                .Range(0, Threads)
                .Select(thread => OnAThreadAsync(Rounds, _ => thread % 2 == 0 ? ReadSize(server) : OpenClipboard(server)))
        );
        Assert.Equal(Threads * Rounds, done.Sum());
    }

    /// <summary>
    /// Who resizes has the server to itself for a moment, and Xlib has its global lock while it connects: without the gate around both,
    /// each waits for the other for ever within the first thousand.
    /// </summary>
    [Fact(Timeout = 90_000)]
    public async Task Connection_OpenedWhileTheScreenIsResized_IsNotWaitedForByTheServer()
    {
        const int Rounds = 1000;
        await using var server = await XServer.StartAsync();
        using var other = XConnection.Open(server.Address.Name, server.Address.AuthorityPath);
        var resizing = OnAThreadAsync(Rounds, round => Resize(server, 320 + (2 * (round % 2))));
        var opening = OnAThreadAsync(2 * Rounds, _ => ReadSize(server));
        // Xlib remembers the last connection of each extension, and needs no lock for that one.
        var asking = OnAThreadAsync(10 * Rounds, _ => XScreenSize.Read(other).Width > 0);
        await Task.WhenAll(resizing, opening, asking).WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((Rounds, 2 * Rounds, 10 * Rounds), (await resizing, await opening, await asking));
    }

    /// <returns>How often it was done.</returns>
    private static Task<int> OnAThreadAsync(int rounds, Func<int, bool> isDone) =>
        Task.Factory.StartNew(
            () => Enumerable.Range(0, rounds).Count(isDone),
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );

    private static bool Resize(XServer server, int width) =>
        XScreenSize.Resize(server.Address.Name, server.Address.AuthorityPath, width, 240).Width == width;

    private static bool ReadSize(XServer server) => XScreenSize.Read(server.Address.Name, server.Address.AuthorityPath).Width > 0;

    private static bool OpenClipboard(XServer server)
    {
        using var clipboard = XClipboard.Open(server.Address.Name, server.Address.AuthorityPath);
        clipboard.ReadEvents();
        return clipboard.Descriptor >= 0;
    }
}
