using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Store;
using Oriel.Protocol;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

/// <summary>A guest that changes its screen's size without end costs one write to the database a second.</summary>
public sealed class SizeStormTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sizes_InAStorm_AreShownAtOnceAndStoredOnceASecond()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { GuestFor = _ => new PlayedGuest() },
            change: options => options with { Driver = PlayedKeepers.Driver },
            clock: clock
        );
        var id = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(id, "ready");
        Assert.True(DesktopId.TryParse(id, null, out var parsed));
        Assert.True(server.Application.Desktops.TryGet(parsed, out var desktop));

        desktop.Resized(1000, 700);
        await Eventually.HoldsAsync(async () => await StoredAsync() == 1000 ? null : "the first size is not stored");
        for (var width = 1001; width <= 1500; width++)
        {
            desktop.Resized(width, 700);
        }

        await Eventually.HoldsAsync(() => desktop.View.Width == 1500, () => $"the view has {desktop.View.Width}");
        Assert.Equal(1000, await StoredAsync());
        clock.Advance(TimeSpan.FromSeconds(1));
        await Eventually.HoldsAsync(async () => await StoredAsync() == 1500 ? null : "the last size is not stored");

        async Task<int> StoredAsync()
        {
            var store = new DesktopStore(new DesktopDbContextFactory(new DataLayout(server.Data).Database));
            return (await store.LoadAsync(DateTimeOffset.UnixEpoch, Token))
                .Single(stored => stored.Desktop.View.Id == parsed)
                .Desktop.View.Width;
        }
    }
}
