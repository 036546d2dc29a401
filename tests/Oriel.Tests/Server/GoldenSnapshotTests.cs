using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Server;

/// <summary>
/// Which snapshot is found and which is given up, over guests that are played; that a real machine goes on from one is for the desktop
/// ring.
/// </summary>
public sealed class GoldenSnapshotTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_FromASnapshotThatNothingComesUpFrom_FailsAndTheNextOneBoots()
    {
        var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        await using var server = await TestServer.StartAsync(keepers: keepers, change: o => o with { Driver = PlayedKeepers.Driver });
        var kept = await KeepAsync(server);

        // The guest that is played does not know the key of the machine that was kept.
        var first = (await CreateAsync(server))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(first, "destroyed");
        await Eventually.HoldsAsync(() => !Left(kept).Any(), () => $"still there: {string.Join(", ", Left(kept))}");
        var failed = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{first}", Token))!;
        Assert.Contains("renew", Steps(failed));

        var second = (await CreateAsync(server))["id"]!.GetValue<string>();
        await server.WaitForStateAsync(second, "ready");
        Assert.DoesNotContain("renew", Steps((await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{second}", Token))!));
    }

    [Fact]
    public async Task Discard_OfOneSnapshotByManyAtOnce_RemovesItAndThrowsForNobody()
    {
        await using var server = await TestServer.StartAsync(change: o => o with { Driver = PlayedKeepers.Driver });
        for (var round = 0; round < 20; round++)
        {
            var kept = await KeepAsync(server);
            var (snapshots, template, image) = Store(server);
            var found = (await snapshots.FindAsync(template, image, Token)).Snapshot!;
            using var barrier = new Barrier(4);
            await Task.WhenAll(
                Enumerable
                    .Range(0, barrier.ParticipantCount)
                    .Select(_ =>
                        Task.Factory.StartNew(
                            () =>
                            {
                                barrier.SignalAndWait(Token);
                                GoldenSnapshots.Discard(found);
                            },
                            Token,
                            TaskCreationOptions.LongRunning,
                            TaskScheduler.Default
                        )
                    )
            );
            Assert.Empty(Left(kept));
        }
    }

    [Fact]
    public async Task RemoveRefused_WhileAMachineIsRestored_WaitsForIt()
    {
        await using var server = await TestServer.StartAsync(change: o => o with { Driver = PlayedKeepers.Driver });
        var kept = await KeepAsync(server);
        var (snapshots, template, image) = Store(server);
        var found = (await snapshots.FindAsync(template, image, Token)).Snapshot!;
        await File.AppendAllTextAsync(new SnapshotDirectory(kept).State, "more", Token);
        using (snapshots.Use(found))
        {
            using (snapshots.Use(found))
            {
                await snapshots.RemoveRefusedAsync(template, image, Token);
            }

            Assert.True(Directory.Exists(kept));
        }

        Assert.Empty(Left(kept));
    }

    /// <summary>Under whatever name.</summary>
    private static IEnumerable<string> Left(string kept) => Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(kept)!);

    private static Task<JsonNode> CreateAsync(TestServer server) =>
        server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height });

    private static List<string> Steps(JsonNode desktop) =>
        [.. desktop["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>())];

    /// <summary>A snapshot with files in it, as far as the store tells.</summary>
    /// <returns>Its directory.</returns>
    private static async Task<string> KeepAsync(TestServer server)
    {
        var (snapshots, template, image) = Store(server);
        var directory = snapshots.Begin(image);
        var files = new SnapshotDirectory(directory);
        foreach (var path in (string[])[files.Memory, files.State, files.Scratch])
        {
            File.WriteAllText(path, Path.GetFileName(path));
        }

        return await snapshots.CompleteAsync(directory, template, image, new byte[32], DateTimeOffset.UnixEpoch, Token);
    }

    private static (GoldenSnapshots Snapshots, DesktopTemplate Template, ImageManifest Image) Store(TestServer server)
    {
        var images = new ImageStore(server.Layout.Images);
        return (
            new GoldenSnapshots(PlayedKeepers.Driver, images, NullLogger<GoldenSnapshots>.Instance),
            DesktopTemplate.Default,
            images.FindUsable(DesktopTemplate.Default.Image)!
        );
    }
}
