using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Oriel.Desktops.Node;
using Oriel.Protocol.Layout;
using Oriel.Tests.Server;

namespace Oriel.Tests.Creation;

/// <summary>
/// An image that is being copied, replaced or was changed: what is made of it is proven as any other, or fails before anything of it is
/// used.
/// </summary>
public sealed class BrokenImageTests : IAsyncDisposable
{
    private static readonly DesktopDriver Machine = new("played", DesktopDriver.MicroVm, null, NeedsDisks: true, TimeScale: 1);

    private readonly string _data = Directory.CreateTempSubdirectory("oriel-image-").FullName;
    private readonly PlayedKeepers _keepers = new();
    private readonly ConcurrentDictionary<string, string> _imageOf = new();

    public BrokenImageTests() =>
        _keepers.GuestFor = spec =>
        {
            _imageOf[spec.DesktopId] = spec.ImagePath;
            return new PlayedGuest();
        };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static CreationPlan Plan { get; } = CreationPlan.Of(0, CreationFault.None, new Random(1));

    private string Images => new DataLayout(_data).Images;

    public async ValueTask DisposeAsync()
    {
        await _keepers.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    /// <summary>Before the server has looked at the image, and after a desktop of it was ready.</summary>
    [Theory]
    [InlineData("flipped", false)]
    [InlineData("flipped", true)]
    [InlineData("truncated", false)]
    [InlineData("truncated", true)]
    [InlineData("gone", false)]
    [InlineData("gone", true)]
    [InlineData("replaced, its times kept", true)]
    [InlineData("grown", true)]
    public async Task Create_RootDiskThatIsNotAsItWasBuilt_IsRefusedByDigestInItsStep(string fault, bool wasUsed)
    {
        var disk = Add('a', at: 1).RootDisk;
        await using var server = await StartAsync();
        if (wasUsed)
        {
            Assert.True(await IsReadyAsync(server, await CreateAsync(server)));
        }

        Spoil(disk, fault);
        var id = await CreateAsync(server);
        Assert.False(await IsReadyAsync(server, id));
        var reason = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["reason"]!;
        Assert.Equal(("image-broken", "image-disks"), (reason["code"]!.GetValue<string>(), reason["step"]!.GetValue<string>()));
        Assert.Contains(Path.GetFileName(disk), reason["message"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.DoesNotContain(id, _imageOf.Keys);
    }

    [Fact]
    public async Task Create_WhileANewerImageAppears_EachIsOfOneOfThemWholly()
    {
        Add('a', at: 1);
        await using var server = await StartAsync();
        var ids = new ConcurrentBag<string>();
        await Parallel.ForAsync(
            0,
            40,
            new ParallelOptions { MaxDegreeOfParallelism = 4 },
            async (number, _) =>
            {
                if (number == 20)
                {
                    // As the build does: whole, by a rename.
                    var whole = Add('b', at: 2, ".building-b").Path;
                    Directory.Move(whole, Path.Combine(Images, new string('b', 64)));
                }

                var id = await CreateAsync(server);
                ids.Add(id);
                Assert.True(await IsReadyAsync(server, id));
            }
        );

        var digests = new HashSet<string>();
        foreach (var id in ids)
        {
            var digest = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["image"]![
                "digest"
            ]!.GetValue<string>();
            Assert.Equal($"sha256:{Path.GetFileName(_imageOf[id])}", digest);
            digests.Add(digest);
        }

        Assert.Equal(2, digests.Count);
    }

    /// <summary>A copy of a newer image that is under way: not an image yet, or refused by digest; never half of one.</summary>
    [Theory]
    [InlineData("without manifest", "ready")]
    [InlineData("half a manifest", "ready")]
    [InlineData("half its root disk", "failed")]
    [InlineData("no disks yet", "failed")]
    public async Task Create_WhileANewerImageIsBeingCopied_TakesTheOldOneOrSaysWhatIsWrong(string state, string expected)
    {
        Add('a', at: 1);
        var image = Add('b', at: 2);
        var manifest = image.Manifest;
        switch (state)
        {
            case "without manifest":
                File.Delete(manifest);
                break;
            case "half a manifest":
                var text = await File.ReadAllTextAsync(manifest, Token);
                await File.WriteAllTextAsync(manifest, text[..(text.Length / 2)], Token);
                break;
            case "half its root disk":
                Spoil(image.RootDisk, "truncated");
                break;
            default:
                Directory.Delete(image.Disks, recursive: true);
                break;
        }

        await using var server = await StartAsync();
        var id = await CreateAsync(server);
        Assert.Equal(expected == "ready", await IsReadyAsync(server, id));
        var desktop = (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!;
        Assert.Equal(expected == "ready" ? 'a' : 'b', desktop["image"]!["digest"]!.GetValue<string>()[^1]);
        if (expected == "failed")
        {
            Assert.Equal("image-disks", desktop["reason"]!["step"]!.GetValue<string>());

            // The copy completes: the same server takes it.
            Directory.Delete(image.Path, recursive: true);
            Add('b', at: 2);
            Assert.True(await IsReadyAsync(server, await CreateAsync(server)));
        }
    }

    private Task<TestServer> StartAsync() =>
        TestServer.StartAsync(_data, _keepers, image: false, change: options => options with { Driver = Machine });

    private static async Task<string> CreateAsync(TestServer server) => (await server.CreateAsync(Plan.Request))["id"]!.GetValue<string>();

    /// <summary>Takes it to its end.</summary>
    private static async Task<bool> IsReadyAsync(TestServer server, string id)
    {
        var states = new List<string>();
        JsonNode? reason = null,
            attestation = null;
        await foreach (var (_, kind, data) in server.EventsAsync(id, null, Token))
        {
            if (kind == "state")
            {
                states.Add(JsonNode.Parse(data)!["state"]!.GetValue<string>());
                reason ??= JsonNode.Parse(data)!["reason"];
                if (states[^1] == "ready")
                {
                    attestation = await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}/attestation", Token);
                    using var gone = await server.Api.DeleteAsync($"/api/desktops/{id}", Token);
                }
            }
        }

        return ProvenOrFailed.Check(states, attestation, reason, Plan.Files, id);
    }

    private ImageDirectory Add(char digit, int at, string? folder = null)
    {
        var hex = new string(digit, 64);
        var image = new ImageDirectory(Path.Combine(Images, folder ?? hex));
        Directory.CreateDirectory(image.Disks);
        string Disk(string path)
        {
            var content = RandomNumberGenerator.GetBytes(100_000);
            File.WriteAllBytes(path, content);
            return $$"""{"name":"{{Path.GetFileName(path)}}","sha256":"{{Convert.ToHexStringLower(SHA256.HashData(content))}}","size":{{content.Length}}}""";
        }

        File.WriteAllText(
            image.Manifest,
            $$"""
            {"name":"desktop","digest":"sha256:{{hex}}","suite":"trixie","recipeHash":"","agent":null,"size":1,"entries":1,"createdAt":"2026-01-0{{at}}T00:00:00+00:00",
             "packages":[{"name":"bash","version":"5"}],"bootTest":{"passed":true,"at":"2026-01-01T00:00:00+00:00","steps":[],"reason":null},
             "disks":{"kernelRelease":"6.12","kernel":{{Disk(image.Kernel)}},"initramfs":{{Disk(image.Initramfs)}},"root":{{Disk(
                image.RootDisk
            )}},"rootFormat":"erofs"} }
            """
        );
        return image;
    }

    private static void Spoil(string disk, string fault)
    {
        var written = File.GetLastWriteTimeUtc(disk);
        var content = File.ReadAllBytes(disk);
        content[content.Length / 2] ^= 1;
        switch (fault)
        {
            case "flipped":
                File.WriteAllBytes(disk, content);
                break;
            case "truncated":
                File.WriteAllBytes(disk, content[..(content.Length / 2)]);
                break;
            case "grown":
                File.AppendAllText(disk, "x");
                break;
            case "gone":
                File.Delete(disk);
                break;
            default:
                File.WriteAllBytes(disk + ".copy", content);
                File.SetLastWriteTimeUtc(disk + ".copy", written);
                File.Move(disk + ".copy", disk, overwrite: true);
                break;
        }
    }
}
