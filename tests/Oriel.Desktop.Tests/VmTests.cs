using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>The same desktop in a virtual machine; by emulation where this host has no KVM.</summary>
public sealed class VmTests(Ring ring) : MachineTests(ring)
{
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromMinutes(6);

    [Fact]
    public async Task Desktop_InAVirtualMachine_IsTheSameDesktop()
    {
        SkipUnlessMachinesRun();
        await using var server = await OrielServer.StartAsync(["--driver", "qemu", "--max-desktops", "1", .. TestSite.ServerOptions]);
        var id = Ring.IdOf(
            await server.CreateDesktopAsync(
                new
                {
                    name = "machine",
                    width = 1280,
                    height = 720,
                }
            )
        );
        var desktop = await server.WaitReadyAsync(id, ReadyDeadline);
        Tell("virtual machine", desktop);
        Assert.Equal(("qemu", "microvm"), (desktop["driver"]!.GetValue<string>(), desktop["isolation"]!.GetValue<string>()));
        await HasAKernelOfItsOwnAsync(server, id);
        await NothingGetsOutAsync(server, id);
        await IsSeenAndTypedAtAsync(server, id);
        await PausesAsync(server, id);
        await EndsWithItsMachineAsync(server, id);
        await RootDiskIsAsItWasAsync(desktop["image"]!["digest"]!.GetValue<string>());
    }

    private static async Task HasAKernelOfItsOwnAsync(OrielServer server, string id)
    {
        var (code, release, error) = await server.ShellAsync(id, "uname -r && findmnt -n -o FSTYPE / && date +%s");
        Assert.True(code == 0, error);
        var lines = release.Split('\n');
        Assert.NotEqual((await File.ReadAllTextAsync("/proc/sys/kernel/osrelease", Token)).Trim(), lines[0]);
        Assert.Equal("overlay", lines[1]);
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(lines[2], CultureInfo.InvariantCulture), -2, 10);
    }

    private static async Task NothingGetsOutAsync(OrielServer server, string id)
    {
        var watch = Stopwatch.StartNew();
        var (_, answers, errors) = await server.ShellAsync(id, LeakProbe.Script(server.Port, await server.MediaPortAsync()), seconds: 110);
        TestContext.Current.SendDiagnosticMessage(
            string.Create(CultureInfo.InvariantCulture, $"Ways out were tried for {watch.Elapsed.TotalSeconds:0.0} s")
        );
        Assert.True(answers == LeakProbe.Answers, $"{answers}{errors}");
        await OrielServer.EventuallyAsync(
            async () =>
                (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/egress"))!["dropped"]! is var dropped
                && Array.TrueForAll(LeakProbe.Dropped, kind => dropped[kind]?.GetValue<long>() > 0)
                    ? null
                    : $"the keeper has counted {dropped.ToJsonString()}",
            TimeSpan.FromSeconds(30)
        );
    }

    private async Task IsSeenAndTypedAtAsync(OrielServer server, string id)
    {
        var png = await server.Api.GetByteArrayAsync($"/api/desktops/{id}/screenshot", Token);
        Assert.True(png.Length > 8 * 1024, $"the screenshot has {png.Length} bytes: next to nothing is drawn");
        var page = await Ring.SignInAsync(
            server,
            new()
            {
                ViewportSize = new() { Width = 1400, Height = 860 },
            }
        );
        await page.GotoAsync($"{server.Address}desktops/{id}");
        await Eyes.IsConnectedAsync(page);
        await Eyes.PlaysAsync(page, seconds: 120);
        // Few keys, as each takes its time by emulation: the terminal's background.
        await Terminal.RunAsync(server, page, id, @"printf '\e]11;#fa780a\a'");
        await Eyes.SeesAsync(page, (250, 120, 10), 0.05, "the terminal of a virtual machine", seconds: 60);
        await Eyes.KeepAsync(page, "virtual machine");
        await page.GotoAsync("about:blank");
    }

    private static async Task PausesAsync(OrielServer server, string id)
    {
        var machine = Host.MachineOf(server.Data, id);

        // As wrong as after a long pause: whoever resumes it gives it the time.
        Assert.Equal(0, (await server.ShellAsync(id, "sudo date -s 2001-02-03")).ExitCode);
        using (var paused = await server.Api.PostAsync($"/api/desktops/{id}/pause", null, Token))
        {
            Assert.True(paused.IsSuccessStatusCode, await paused.Content.ReadAsStringAsync(Token));
        }

        var before = Host.CpuTicksOf(machine);
        // The state is the desktop's own word; that it stands still is seen at what the machine takes of the processor until it is resumed.
        using (var resumed = await server.Api.PostAsync($"/api/desktops/{id}/resume", null, Token))
        {
            Assert.InRange(Host.CpuTicksOf(machine) - before, 0, 50);
            Assert.True(resumed.IsSuccessStatusCode, await resumed.Content.ReadAsStringAsync(Token));
        }

        var clock = long.Parse((await server.ShellAsync(id, "date +%s")).Stdout, CultureInfo.InvariantCulture);
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - clock, -2, 30);
    }

    /// <summary>kill -9 of QEMU: the desktop has failed with the reason, and nothing of it is left.</summary>
    private static async Task EndsWithItsMachineAsync(OrielServer server, string id)
    {
        var machine = Host.MachineOf(server.Data, id);
        Assert.NotEqual(Host.UidOf(Environment.ProcessId), Host.UidOf(machine));
        await Host.KillMachineAsync(server.Data, id);
        await OrielServer.EventuallyAsync(
            async () =>
                (await server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{id}"))!["reason"]?["code"]?.GetValue<string>() is var reason
                && reason == "guest-killed"
                    ? null
                    : $"the reason is {reason}",
            TimeSpan.FromSeconds(60)
        );
        await OrielServer.EventuallyAsync(
            () => Task.FromResult(server.Layout.BundleOf(id).Exists ? "the bundle is still there" : null),
            TimeSpan.FromSeconds(60)
        );
    }

    private static async Task RootDiskIsAsItWasAsync(string digest)
    {
        var image = new ImageDirectory(
            Path.Combine(new DataLayout(Environment.GetEnvironmentVariable("ORIEL_TEST_DATA")!).Images, digest["sha256:".Length..])
        );
        var manifest = JsonNode.Parse(await File.ReadAllTextAsync(image.Manifest, Token))!;
        await using var disk = File.OpenRead(image.RootDisk);
        Assert.Equal(
            manifest["disks"]!["root"]!["sha256"]!.GetValue<string>(),
            Convert.ToHexStringLower(await SHA256.HashDataAsync(disk, Token))
        );
    }
}
