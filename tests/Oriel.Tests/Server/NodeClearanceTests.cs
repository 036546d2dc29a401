using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Registry;
using Oriel.Desktops.Store;
using Oriel.Protocol;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

/// <summary>What <c>oriel down</c> does once the server is gone.</summary>
public sealed class NodeClearanceTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EndAll_DesktopsThatLiveOn_EndsThemAndClosesTheirRecords()
    {
        var data = Directory.CreateTempSubdirectory("oriel-down-").FullName;
        await using var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        try
        {
            string ready,
                creating;
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                ready = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))[
                    "id"
                ]!.GetValue<string>();
                await server.WaitForStateAsync(ready, "ready");
                creating = (await server.CreateAsync())["id"]!.GetValue<string>();
                await server.WaitForStateAsync(creating, "booting");
            }

            var layout = new DataLayout(data);
            var orphan = layout.BundleOf("d-zzzzzzzzzz");
            Directory.CreateDirectory(orphan.Path);
            Assert.Equal(2, keepers.Running);
            var clearance = new NodeClearance(
                new DesktopStore(new DesktopDbContextFactory(layout.Database)),
                keepers,
                layout,
                TimeProvider.System
            );
            var ended = await clearance.EndAllAsync(DesktopReason.Of(ReasonCodes.Requested, "down"), Token);

            Assert.Equal(
                new[] { ready, creating, orphan.Name }.Order(StringComparer.Ordinal),
                ended.Select(e => e.Id).Order(StringComparer.Ordinal)
            );
            Assert.All(ended, e => Assert.Null(e.Problem));
            Assert.Equal(0, keepers.Running);
            Assert.Empty(Directory.EnumerateFileSystemEntries(layout.Desktops));
            Assert.Empty(await clearance.EndAllAsync(DesktopReason.Of(ReasonCodes.Requested, "again"), Token));
            await using (var next = await TestServer.StartAsync(data, keepers))
            {
                Assert.Empty((await next.Api.GetFromJsonAsync<JsonNode>("/api/desktops", Token))!["desktops"]!.AsArray());
                foreach (var id in (string[])[ready, creating])
                {
                    var desktop = (await next.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;
                    Assert.Equal(
                        ("destroyed", "requested", "down"),
                        (
                            desktop["state"]!.GetValue<string>(),
                            desktop["reason"]!["code"]!.GetValue<string>(),
                            desktop["reason"]!["message"]!.GetValue<string>()
                        )
                    );
                    await next.WaitForAsync(id, "end", _ => true);
                }
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }
}
