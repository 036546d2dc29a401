using System.Text.Json.Nodes;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>
/// Real servers, keepers and guests, with the server killed in each state and with a host's disk that is full at each point of a creation.
/// </summary>
public sealed class InterruptedCreationTests(Ring ring) : RingTests(ring)
{
    private const int DiskMebibytes = 384;

    private static readonly AskedFile[] Asked =
    [
        new("/home/user/asked", "as asked for"u8.ToArray(), "0600"),
        new("/etc/motd", "of the image as well"u8.ToArray(), "0644", "0:0"),
        new("/home/user/large", new byte[8 << 20]),
    ];

    private static object Request =>
        new
        {
            name = "interrupted",
            files = Asked.Select(file => new
            {
                path = file.Path,
                content = Convert.ToBase64String(file.Content),
                mode = file.Mode,
                owner = file.Owner == "0:0" ? "root" : "user",
            }),
        };

    [Theory]
    [InlineData("creating")]
    [InlineData("booting")]
    [InlineData("configuring")]
    [InlineData("ready")]
    [InlineData("paused")]
    public async Task Server_Kill9InEachState_TheNextAdoptsTheDesktopOrFailsItAndNothingIsLeft(string state)
    {
        SkipUnlessPrepared();
        await using var server = await OrielServer.StartAsync();
        var id = Ring.IdOf(await server.CreateDesktopAsync(Request));
        await UntilAsync(server, id, state == "paused" ? "ready" : state);
        if (state == "paused")
        {
            using var paused = await server.Api.PostAsync($"/api/desktops/{id}/pause", null, Token);
            Assert.SkipUnless(paused.IsSuccessStatusCode, "This host offers no cgroup to freeze.");
        }

        await server.KillAsync();
        await server.RestartAsync();
        var isReady = await EndAsync(server, id);
        Assert.True(
            isReady == (state is "ready" or "paused"),
            (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!.ToJsonString()
        );
        Assert.Empty(Directory.EnumerateFileSystemEntries(server.Layout.Desktops));
        await NoneIsLeftAsync(server, id);
    }

    /// <summary>
    /// The less is free, the earlier it ends: with nothing it cannot be stored, with some MiB the guest's own files find no room.
    /// </summary>
    [Fact]
    public async Task Disk_FullAtEachPointOfACreation_FailsItAndTheNextWithRoomIsProven()
    {
        SkipUnlessPrepared();
        await using var server = await OrielServer.StartOnDiskAsync(DiskMebibytes);
        var steps = new List<string>();
        foreach (var free in (int[])[0, 4 << 10, 8 << 10, 12 << 10, 16 << 10, 32 << 10, 256 << 10, 1 << 20, 6 << 20])
        {
            Fill(server, free);
            var id = Ring.IdOf(await server.CreateDesktopAsync(Request));
            Assert.False(await EndAsync(server, id));
            var reason = (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["reason"]!;
            steps.Add($"{free >> 10} KiB: {reason["step"]} ({reason["code"]})");
            Assert.True(reason["code"]!.GetValue<string>() == "disk-full", reason.ToJsonString());
            Assert.Empty(Directory.EnumerateFileSystemEntries(server.Layout.Desktops));
            await NoneIsLeftAsync(server, id);
        }

        TestContext.Current.SendDiagnosticMessage("{0}", string.Join(", ", steps));
        File.Delete(Path.Combine(server.Layout.Root, "fill"));
        Assert.True(await EndAsync(server, Ring.IdOf(await server.CreateDesktopAsync(Request))), string.Join(", ", steps));
    }

    private static Task NoneIsLeftAsync(OrielServer server, string id) =>
        OrielServer.EventuallyAsync(
            () =>
                Task.FromResult(
                    Host.ProcessesOf(server.Data, id) is { Count: > 0 } left
                        ? $"processes are left: {string.Join(", ", left.Select(Host.CommandLineOf))}"
                        : null
                ),
            TimeSpan.FromSeconds(30)
        );

    /// <summary>Leaves so many bytes.</summary>
    private static void Fill(OrielServer server, int free)
    {
        var path = Path.Combine(server.Layout.Root, "fill");
        File.Delete(path);
        using var file = File.Create(path, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            file.SetLength(file.Length - free);
        }
    }

    private static async Task UntilAsync(OrielServer server, string id, string state)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromMinutes(4));
        await foreach (var (kind, data) in server.EventsAsync(id, limit.Token))
        {
            if (kind == "state" && JsonNode.Parse(data)!["state"]!.GetValue<string>() == state)
            {
                return;
            }
        }

        Assert.Fail($"The desktop was never {state}: {await server.LogAsync(id)}");
    }

    /// <summary>Follows it to ready or failed, checks what it says of its files, and takes it to its end.</summary>
    private static async Task<bool> EndAsync(OrielServer server, string id)
    {
        var states = new List<string>();
        JsonNode? reason = null,
            attestation = null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromMinutes(4));
        await OrielServer.EventuallyAsync(
            async () =>
            {
                // What it was before the server went is history: what it is now counts.
                var now = (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["state"]!.GetValue<string>();
                return now is "ready" or "paused" or "failed" or "destroyed" ? null : $"it is {now}";
            },
            TimeSpan.FromMinutes(4)
        );
        if ((await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["state"]!.GetValue<string>() == "paused")
        {
            using var resumed = await server.Api.PostAsync($"/api/desktops/{id}/resume", null, limit.Token);
            Assert.True(resumed.IsSuccessStatusCode, await resumed.Content.ReadAsStringAsync(limit.Token));
        }

        if ((await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["state"]!.GetValue<string>() == "ready")
        {
            attestation = await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/attestation");
            using var gone = await server.Api.DeleteAsync($"/api/desktops/{id}", limit.Token);
        }

        await foreach (var (kind, data) in server.EventsAsync(id, limit.Token))
        {
            if (kind == "state")
            {
                states.Add(JsonNode.Parse(data)!["state"]!.GetValue<string>());
                reason = states[^1] == "failed" ? JsonNode.Parse(data)!["reason"] : reason;
            }
        }

        Assert.Equal("destroyed", states[^1]);
        return ProvenOrFailed.Check(states, attestation, reason, Asked, id);
    }
}
