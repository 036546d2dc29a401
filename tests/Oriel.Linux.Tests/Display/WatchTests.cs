using System.Buffers.Binary;
using Grpc.Core;
using Oriel.Protocol.Display;
using Oriel.TestSupport;

namespace Oriel.Linux.Tests.Display;

public sealed class WatchTests
{
    [Fact]
    public async Task Watch_ScreenResized_SaysTheNewSize()
    {
        await using var desk = await WatchDesk.StartAsync();
        var first = await desk.ReadUntilAsync(e => e.Size is not null);
        await desk.Client.ResizeAsync(
            new ResizeRequest { Width = 512, Height = 384 },
            cancellationToken: TestContext.Current.CancellationToken
        );
        var second = await desk.ReadUntilAsync(e => e.Size is { Width: 512 });

        Assert.Equal((640u, 480u), (first.Size.Width, first.Size.Height));
        Assert.Equal((512u, 384u, 640u, 480u), (second.Size.Width, second.Size.Height, second.Size.MaxWidth, second.Size.MaxHeight));
    }

    [Fact]
    public async Task Watch_CursorChanged_SendsItsImage()
    {
        await using var desk = await WatchDesk.StartAsync();
        var first = await desk.ReadUntilAsync(e => e.Cursor is not null);
        using var painter = new XPainter(desk.Server.Address.Name, desk.Server.Address.AuthorityPath, 640, 480);
        painter.ShowCursor(152);
        var second = await desk.ReadUntilAsync(e => e.Cursor is { } cursor && cursor.Serial != first.Cursor.Serial);

        Assert.NotEqual(first.Cursor.Serial, second.Cursor.Serial);
        var png = second.Cursor.Png.ToByteArray();
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], png[..4]);
        Assert.Equal(second.Cursor.Width, BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan(16)));
        Assert.True(second.Cursor.HotX < second.Cursor.Width && second.Cursor.HotY < second.Cursor.Height);
    }

    [Fact]
    public async Task Watch_WindowListed_ComesWithTitleAndPlace()
    {
        await using var desk = await WatchDesk.StartAsync();
        using var painter = new XPainter(desk.Server.Address.Name, desk.Server.Address.AuthorityPath, 320, 200);
        painter.List("Größe 1", "Oriel-test");
        var windows = (await desk.ReadUntilAsync(e => e.Windows is { Windows.Count: > 0 })).Windows;

        var window = Assert.Single(windows.Windows);
        Assert.Equal(
            ("Größe 1", "Oriel-test", 320u, 200u, true),
            (window.Title, window.WindowClass, window.Width, window.Height, window.Mapped)
        );
        painter.List("changed", "Oriel-test");
        await desk.ReadUntilAsync(e => e.Windows is { Windows: [{ Title: "changed" }] });
    }

    [Fact]
    public async Task Screenshot_Pattern_EqualsItsPixels()
    {
        await using var desk = await WatchDesk.StartAsync();
        using var painter = new XPainter(desk.Server.Address.Name, desk.Server.Address.AuthorityPath, 640, 480);
        var random = new Random(7);
        var expected = new uint[640 * 480];
        for (var i = 0; i < 200; i++)
        {
            var (x, y, color) = (random.Next(600), random.Next(440), (uint)random.Next(0x1000000));
            painter.Fill(new(x, y, 40, 40), color);
            for (var row = y; row < y + 40; row++)
            {
                expected.AsSpan(row * 640 + x, 40).Fill(color);
            }
        }

        painter.Sync();
        var shot = await desk.Client.ScreenshotAsync(new ScreenshotRequest(), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(expected, PngReader.ReadRgb(shot.Png.ToByteArray()));
        var small = await desk.Client.ScreenshotAsync(
            new ScreenshotRequest { MaxWidth = 160 },
            cancellationToken: TestContext.Current.CancellationToken
        );
        Assert.Equal((160u, 120u), (small.Width, small.Height));
        Assert.Equal(160 * 120, PngReader.ReadRgb(small.Png.ToByteArray()).Length);
    }

    internal sealed class WatchDesk : IAsyncDisposable
    {
        private readonly DisplayHost _host;
        private readonly CancellationTokenSource _deadline = CancellationTokenSource.CreateLinkedTokenSource(
            TestContext.Current.CancellationToken
        );
        private readonly AsyncServerStreamingCall<DisplayEvent> _call;
        private string _last = "nothing";

        private WatchDesk(XServer server, DisplayHost host)
        {
            (Server, _host) = (server, host);
            _deadline.CancelAfter(TimeSpan.FromSeconds(60));
            _call = host.Client.Watch(new WatchRequest(), cancellationToken: _deadline.Token);
        }

        internal XServer Server { get; }

        internal Protocol.Display.Display.DisplayClient Client => _host.Client;

        internal static async Task<WatchDesk> StartAsync()
        {
            var server = await XServer.StartAsync();
            return new WatchDesk(server, await DisplayHost.StartAsync(server.Address));
        }

        internal async Task<DisplayEvent> ReadUntilAsync(Func<DisplayEvent, bool> wanted)
        {
            try
            {
                while (await _call.ResponseStream.MoveNext(_deadline.Token))
                {
                    if (wanted(_call.ResponseStream.Current))
                    {
                        return _call.ResponseStream.Current;
                    }

                    _last = _call.ResponseStream.Current.ToString();
                }
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled)
            {
                Assert.Fail($"not seen in time; last: {_last}");
            }

            throw new InvalidOperationException($"the watch ended; last: {_last}");
        }

        public async ValueTask DisposeAsync()
        {
            await _deadline.CancelAsync();
            _call.Dispose();
            await _host.DisposeAsync();
            await Server.DisposeAsync();
            _deadline.Dispose();
        }
    }
}
