using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>A desktop's life as the API shows it and as the host's /proc does.</summary>
public sealed class LifeTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Ready_ConfiguredDesktop_IsAttested()
    {
        SkipUnlessPrepared();
        var content = RandomNumberGenerator.GetBytes(5000);
        var created = await Server.CreateDesktopAsync(
            new
            {
                name = "attested",
                hostname = "proven-1",
                timeZone = "Europe/Paris",
                keyboardLayout = "de",
                width = 1024,
                height = 768,
                files = new[]
                {
                    new
                    {
                        path = "/home/user/.config/app/secret.bin",
                        content = Convert.ToBase64String(content),
                        mode = "0600",
                        owner = "user",
                    },
                },
                env = new Dictionary<string, string> { ["ORIEL_RING"] = "a value with 'quotes' and $dollars" },
            }
        );
        var id = Ring.IdOf(created);
        await Server.WaitReadyAsync(id);

        var attestation = (await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/attestation"))!.ToJsonString();
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(content)), attestation, StringComparison.OrdinalIgnoreCase);
        var (_, stat, _) = await Server.ExecAsync(id, "/usr/bin/stat", "-c", "%a %U %s", "/home/user/.config/app/secret.bin");
        Assert.Equal("600 user 5000\n", stat);
        var (_, seen, _) = await Server.ShellAsync(id, "echo \"$ORIEL_RING\"; hostname; date +%Z; echo $https_proxy");
        Assert.Matches("^a value with 'quotes' and \\$dollars\nproven-1\n(CET|CEST)\nhttp://192\\.168\\.100\\.1:10001\n$", seen);
        var (_, login, _) = await Server.ExecAsync(id, "/bin/su", "-l", "user", "-c", "echo \"$ORIEL_RING\"");
        Assert.True(login.Contains("$dollars", StringComparison.Ordinal) || login.Length == 0, login);

        var png = await Server.Api.GetByteArrayAsync($"/api/desktops/{id}/screenshot", Token);
        Assert.Equal("\u0089PNG", Encoding.Latin1.GetString(png, 0, 4));
        Assert.Equal((1024, 768), (ReadInt(png, 16), ReadInt(png, 20)));
        await DestroyAsync(id);
    }

    [Fact]
    public async Task Destroy_ReadyDesktop_LeavesNothing()
    {
        SkipUnlessPrepared();
        var id = Ring.IdOf(await Server.CreateDesktopAsync(new { name = "gone" }));
        await Server.WaitReadyAsync(id);
        var processes = Host.ProcessesOf(Server.Data, id);
        Assert.NotEmpty(processes);
        Assert.All(processes, process => Assert.NotEqual(0, Host.UidOf(process)));
        Assert.NotEqual(0, Host.UidOf(Server.ProcessId));

        await DestroyAsync(id);
        await LeavesNothingAsync(id, processes);
    }

    [Fact]
    public async Task KeeperKilled_ReadyDesktop_FailsWithTheCauseAndLeavesNothing()
    {
        SkipUnlessPrepared();
        var id = Ring.IdOf(await Server.CreateDesktopAsync(new { name = "killed" }));
        await Server.WaitReadyAsync(id);
        var processes = Host.ProcessesOf(Server.Data, id);
        var keeper = JsonNode.Parse(await File.ReadAllTextAsync(Server.Layout.BundleOf(id).Identity, Token))!["pid"]!.GetValue<int>();
        System.Diagnostics.Process.GetProcessById(keeper).Kill();

        await OrielServer.EventuallyAsync(
            async () =>
            {
                using var response = await Server.Api.GetAsync($"/api/desktops/{id}", Token);
                var desktop = await response.Content.ReadAsStringAsync(Token);
                return desktop.Contains("\"destroyed\"", StringComparison.Ordinal) && desktop.Contains("died", StringComparison.Ordinal)
                    ? null
                    : $"the desktop is {desktop}";
            },
            TimeSpan.FromSeconds(60)
        );
        await LeavesNothingAsync(id, processes);
    }

    /// <summary>
    /// Paused, a guest with a busy program uses no time of a processor; resumed, it does again; a paused one can be destroyed. A page that
    /// shows it says that it is paused, and resumes it.
    /// </summary>
    [Fact]
    public async Task Pause_ReadyDesktop_StandsStillUntilResumed()
    {
        SkipUnlessPrepared();
        var id = Ring.IdOf(await Server.CreateDesktopAsync(new { name = "paused" }));
        await Server.WaitReadyAsync(id);
        await Server.ShellAsync(id, "setsid sh -c 'while :; do :; done' >/dev/null 2>&1 &");
        using var pause = await Server.Api.PostAsync($"/api/desktops/{id}/pause", null, Token);
        var answer = await pause.Content.ReadAsStringAsync(Token);
        Assert.SkipWhen(
            pause.StatusCode == HttpStatusCode.Conflict && answer.Contains("not-possible-here", StringComparison.Ordinal),
            $"This host cannot pause a container: {answer}"
        );
        Assert.True(pause.IsSuccessStatusCode, answer);
        Assert.Equal("paused", JsonNode.Parse(answer)!["state"]!.GetValue<string>());

        var guest = Host.ProcessesOf(Server.Data, id)
            .Where(process => Host.CgroupOf(process).Contains(id, StringComparison.Ordinal))
            .ToArray();
        Assert.NotEmpty(guest);
        var before = guest.Sum(Host.CpuTicksOf);
        for (var request = 0; request < 50; request++)
        {
            // Each takes the busy program's time of a tick or so.
            using var refused = await Server.Api.PostAsJsonAsync($"/api/desktops/{id}/exec", new { command = "/bin/true" }, Token);
            Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        }

        Assert.Equal(before, guest.Sum(Host.CpuTicksOf));

        using var resume = await Server.Api.PostAsync($"/api/desktops/{id}/resume", null, Token);
        Assert.True(resume.IsSuccessStatusCode, await resume.Content.ReadAsStringAsync(Token));
        Assert.Equal("awake\n", (await Server.ShellAsync(id, "echo awake")).Stdout);
        await OrielServer.EventuallyAsync(
            () => Task.FromResult(guest.Sum(Host.CpuTicksOf) > before ? null : "the guest uses no time"),
            TimeSpan.FromSeconds(20)
        );

        var page = await Ring.OpenViewerAsync(id);
        var sign = page.GetByTestId("paused");
        Assert.False(await sign.IsVisibleAsync());
        await PauseAsync();
        await sign.GetByText("It was paused on request.").WaitForAsync();
        await page.GetByTestId("resume").ClickAsync();
        await sign.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        Assert.Equal("awake\n", (await Server.ShellAsync(id, "echo awake")).Stdout);

        await PauseAsync();
        await DestroyAsync(id);
        Assert.Null(Host.CgroupDirectoryOf(id));

        async Task PauseAsync()
        {
            using var again = await Server.Api.PostAsync($"/api/desktops/{id}/pause", null, Token);
            Assert.True(again.IsSuccessStatusCode, await again.Content.ReadAsStringAsync(Token));
        }
    }

    [Fact]
    public async Task ServerKilled_WithViewer_ComesBackByItself()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        // What has just begun may end by itself.
        await OrielServer.EventuallyAsync(
            () =>
                Task.FromResult(
                    Host.ProcessesOf(Server.Data, id)
                        .Where(process => Host.AgeOf(process) < TimeSpan.FromSeconds(5))
                        .Select(Host.CommandLineOf)
                        .FirstOrDefault()
                ),
            TimeSpan.FromSeconds(60)
        );
        var before = Host.ProcessesOf(Server.Data, id).ToDictionary(process => process, Host.CommandLineOf);
        await Server.KillAsync();
        var died = before.Where(process => !Host.IsAlive(process.Key)).ToArray();
        // First, as the ring's other tests need it whatever became of this one.
        await Server.RestartAsync();
        Assert.Empty(died);
        var desktop = await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}");
        Assert.NotNull(desktop);

        await OrielServer.EventuallyAsync(
            async () =>
                (await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["state"]!.GetValue<string>() is "ready"
                    ? null
                    : "the desktop is not ready again",
            TimeSpan.FromSeconds(60)
        );
        // The new server counts the page only when it is back: what the page itself says may still be of the old one.
        await ViewersAreAsync(id, 1, seconds: 90);
        await Eyes.IsConnectedAsync(page);
        await Eyes.PlaysAsync(page);
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(10, 160, 160));
        await Eyes.SeesAsync(page, (10, 160, 160), 0.02, "the picture after the server came back");
    }

    [Fact]
    public async Task Files_PutAndGet_AreTheSame()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var content = RandomNumberGenerator.GetBytes(3_000_000);
        using var put = await Server.Api.PutAsync(
            $"/api/desktops/{id}/files?path=/home/user/big.bin&mode=0640",
            new ByteArrayContent(content),
            Token
        );
        var answer = await put.Content.ReadAsStringAsync(Token);
        Assert.True(put.IsSuccessStatusCode, answer);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(content)), answer, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(content, await Server.Api.GetByteArrayAsync($"/api/desktops/{id}/files?path=/home/user/big.bin", Token));
        using var missing = await Server.Api.GetAsync($"/api/desktops/{id}/files?path=/no/such", Token);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task Egress_FromTheGuest_LeavesOnlyByTheProxy()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        using var put = await Server.Api.PutAsync(
            $"/api/desktops/{id}/files?path=/home/user/ca.pem",
            new StringContent(Ring.Site.Authority),
            Token
        );
        Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync(Token));
        var (proxied, _, proxyError) = await Server.ShellAsync(
            id,
            $"test \"$(curl -sS --cacert /home/user/ca.pem {Ring.Site.Url}plain)\" = plain"
        );
        Assert.True(proxied == 0, $"a program that honours the proxy settings: {proxyError}");
        var (transparent, _, error) = await Server.ShellAsync(
            id,
            $"test \"$(env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY curl -sS --cacert /home/user/ca.pem {Ring.Site.Url}plain)\" = plain"
        );
        Assert.True(transparent == 0, $"a program that ignores the proxy settings: {error}");
        var (metadata, text, _) = await Server.ShellAsync(id, "curl -s -m 10 -o /dev/null -w '%{http_code}' http://169.254.169.254/");
        Assert.True(metadata != 0 || text == "403", $"the metadata address answered {text}");
        var (own, ownText, _) = await Server.ShellAsync(
            id,
            $"curl -s -m 10 -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{Server.Port}/ --proxy http://192.168.100.1:10001 --noproxy ''"
        );
        Assert.True(own != 0 || ownText == "403", $"Oriel's own port answered {ownText}");

        using var none = await Server.Api.PutAsJsonAsync($"/api/desktops/{id}/egress", new { mode = "none" }, Token);
        Assert.True(none.IsSuccessStatusCode, await none.Content.ReadAsStringAsync(Token));
        var (closed, _, _) = await Server.ShellAsync(id, $"curl -sf -m 10 --cacert /home/user/ca.pem {Ring.Site.Url}plain");
        Assert.NotEqual(0, closed);
        using var open = await Server.Api.PutAsJsonAsync($"/api/desktops/{id}/egress", new { mode = "internet" }, Token);
        Assert.True(open.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Create_TenAtOnce_AllBecomeReady()
    {
        SkipUnlessPrepared();
        var ids = await Task.WhenAll(
            Enumerable.Range(0, 10).Select(async number => Ring.IdOf(await Server.CreateDesktopAsync(new { name = $"ten-{number}" })))
        );
        Assert.Equal(10, ids.Distinct().Count());
        await Task.WhenAll(ids.Select(id => Server.WaitReadyAsync(id, TimeSpan.FromMinutes(8))));
        await Task.WhenAll(ids.Select(DestroyAsync));
    }

    private async Task LeavesNothingAsync(string id, IReadOnlyList<int> processes) =>
        await OrielServer.EventuallyAsync(
            () =>
            {
                var alive = processes.Where(Host.IsAlive).ToArray();
                var bundle = Server.Layout.BundleOf(id);
                var mounts = File.ReadLines("/proc/self/mounts").Where(line => line.Contains(id, StringComparison.Ordinal)).ToArray();
                return Task.FromResult(
                    alive.Length > 0 ? $"processes are left: {string.Join(", ", alive)}"
                    : bundle.Exists ? $"files are left: {string.Join(", ", Directory.EnumerateFileSystemEntries(bundle.Path))}"
                    : mounts.Length > 0 ? $"mounts are left: {string.Join(", ", mounts)}"
                    : null
                );
            },
            TimeSpan.FromSeconds(60)
        );

    private static int ReadInt(byte[] bytes, int offset) => System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(offset));
}
