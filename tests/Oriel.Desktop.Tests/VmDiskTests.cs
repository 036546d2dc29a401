using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>A virtual machine's own disk: as large as the template says, sparse, and no worse for having been full.</summary>
public sealed class VmDiskTests(Ring ring) : MachineTests(ring)
{
    private const long DiskBytes = 256L << 20;
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromMinutes(8);

    [Fact]
    public async Task Disk_OfASmallMachine_TakesAPackageAndIsFullAndWholeAfterwards()
    {
        SkipUnlessMachinesRun();
        var templates = new JsonArray(new JsonObject { ["name"] = "small", ["diskBytes"] = DiskBytes });
        await using var server = await OrielServer.StartAsync(
            templates,
            ["--driver", "qemu", "--max-desktops", "1", .. TestSite.ServerOptions]
        );
        var id = Ring.IdOf(
            await server.CreateDesktopAsync(
                new
                {
                    template = "small",
                    width = 800,
                    height = 600,
                    trust = new[] { Ring.Site.Authority },
                }
            )
        );
        await server.WaitReadyAsync(id, ReadyDeadline);
        var disk = new FileInfo(Path.Combine(server.Layout.BundleOf(id).Scratch, "disk"));
        Assert.Equal(DiskBytes, disk.Length);
        Assert.InRange(
            long.Parse(await RunAsync(server, id, "df --output=size --block-size=1 / | tail -n 1"), CultureInfo.InvariantCulture),
            DiskBytes / 2,
            DiskBytes
        );

        var said = "";
        foreach (var command in DebianRepository.Commands(Ring.Site))
        {
            said = await RunAsync(server, id, command);
        }

        Assert.Equal(DebianRepository.Greeting + "\n", said);
        await IsFullAndWholeAsync(server, id);
    }

    private async Task IsFullAndWholeAsync(OrielServer server, string id)
    {
        Assert.Empty(await WarningsAsync(server, id));
        var before = await RunAsync(server, id, "head -c 8M /dev/urandom > ~/kept && sync ~/kept && sha256sum ~/kept");
        var (code, _, error) = await server.ShellAsync(id, "dd if=/dev/zero of=$HOME/fill bs=1M", seconds: 110);
        Assert.True(code != 0 && error.Contains("No space left on device", StringComparison.Ordinal), $"dd ended with {code}: {error}");
        await OrielServer.EventuallyAsync(
            async () =>
                (await WarningsAsync(server, id)).Any(warning => warning!["code"]!.GetValue<string>() == "scratch-full")
                    ? null
                    : "the API warns of nothing",
            TimeSpan.FromSeconds(60)
        );
        var notice = await NoticeAsync(server, id);

        // Root has no more room than anybody.
        Assert.NotEqual(0, (await server.ShellAsync(id, "head -c 4M /dev/zero | sudo tee /root/more > /dev/null")).ExitCode);
        await RunAsync(server, id, "sync; echo 3 | sudo tee /proc/sys/vm/drop_caches");
        Assert.Equal(before, await RunAsync(server, id, "sha256sum ~/kept"));

        await RunAsync(server, id, "sudo rm -f ~/fill /root/more");
        await OrielServer.EventuallyAsync(
            async () => await WarningsAsync(server, id) is { Count: > 0 } left ? $"still warned of: {left.ToJsonString()}" : null,
            TimeSpan.FromSeconds(60)
        );
        await notice.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        await notice.Page.GotoAsync("about:blank");
        Assert.Equal(before, await RunAsync(server, id, "head -c 8M /dev/zero > ~/again && sync ~/again && sha256sum ~/kept"));
        Assert.Equal("ready", (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["state"]!.GetValue<string>());
    }

    /// <summary>Seen in the list, and in the page that shows the desktop.</summary>
    private async Task<ILocator> NoticeAsync(OrielServer server, string id)
    {
        var page = await Ring.SignInAsync(
            server,
            new()
            {
                ViewportSize = new() { Width = 1000, Height = 700 },
            }
        );
        await page.Locator("[data-testid=desktop-warning][data-reason=scratch-full]").WaitForAsync();
        await Eyes.KeepAsync(page, "disk full in the list");
        await page.GotoAsync($"{server.Address}desktops/{id}");
        var notice = page.Locator("[data-testid=error-reason][data-reason=scratch-full]");
        await notice.GetByText("nearly full").WaitForAsync();
        await Eyes.KeepAsync(page, "disk full");
        return notice;
    }

    private static async Task<JsonArray> WarningsAsync(OrielServer server, string id) =>
        (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["warnings"]!.AsArray();

    private static async Task<string> RunAsync(OrielServer server, string id, string script)
    {
        var (code, output, error) = await server.ShellAsync(id, script, seconds: 110);
        Assert.True(code == 0, $"{script}: {output}{error}");
        return output;
    }
}
