using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>The panels beside the picture, with what really happened in the guest.</summary>
public sealed class PanelTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task LogAndEgress_Opened_ShowWhatTheGuestDidAndSwitchThePolicy()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.GetByTestId("toolbar-log").ClickAsync();
        await SaysAsync(page.GetByTestId("log-panel"), "step x-server done");
        await Eyes.KeepAsync(page, "panel log");

        await page.GetByTestId("toolbar-egress").ClickAsync();
        var panel = page.GetByTestId("egress-panel");
        await AskAsync("allowed-way");
        var allowed = panel.Locator($"tr[data-host='{TestSite.Host}'][data-verdict=allowed]").First;
        await SaysAsync(allowed, $":{Ring.Site.Port}");

        // Nothing: the next request is refused, and the entry comes by itself.
        await panel.Locator("label").Filter(new LocatorFilterOptions { HasText = "Nothing" }).ClickAsync();
        await PolicyIsAsync("none");
        await AskAsync("refused-way");
        await SaysAsync(panel.Locator($"tr[data-host='{TestSite.Host}'][data-verdict=refused]").First, "nothing is allowed");
        await Eyes.KeepAsync(page, "panel egress");

        // Only a list: written in the panel, a mistake is told there.
        await panel.Locator("label").Filter(new LocatorFilterOptions { HasText = "Only a list" }).ClickAsync();
        await panel.Locator("#allow").FillAsync("not a host");
        await panel.GetByTestId("egress-apply").ClickAsync();
        await SaysAsync(panel, "is not a host with optional ports");
        await panel.Locator("#allow").FillAsync($"{TestSite.Host}:{Ring.Site.Port}");
        await panel.GetByTestId("egress-apply").ClickAsync();
        await PolicyIsAsync("list");
        await panel.Locator("label").Filter(new LocatorFilterOptions { HasText = "Internet" }).ClickAsync();
        await PolicyIsAsync("internet");

        async Task AskAsync(string what) => await Server.ShellAsync(id, $"curl -ksS -m 10 {Ring.Site.Url}plain?{what}");

        Task PolicyIsAsync(string mode) =>
            OrielServer.EventuallyAsync(
                async () =>
                    (await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/egress"))!["policy"]!["mode"]!.GetValue<string>() is var now
                    && now == mode
                        ? null
                        : $"the policy is {now}",
                TimeSpan.FromSeconds(20)
            );
    }

    [Fact]
    public async Task Terminal_Opened_IsAShellThatAReloadFindsAgain()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        var console = new List<string>();
        page.Console += (_, message) => console.Add(message.Text);
        await page.GetByTestId("toolbar-terminal").ClickAsync();
        var terminal = page.GetByTestId("terminal");
        await SaysAsync(terminal, "$");
        await page.Keyboard.TypeAsync("echo $((6*7)) in $(tput cols)\n");
        await SaysAsync(terminal, "42 in ");
        await Eyes.KeepAsync(page, "panel terminal");
        // What xterm makes of its style sheets under the page's policy: rows of one height, side by side with nothing.
        Assert.DoesNotContain(console, line => line.Contains("Content Security Policy", StringComparison.OrdinalIgnoreCase));

        await page.ReloadAsync();
        await page.GetByTestId("toolbar-terminal").ClickAsync();
        await SaysAsync(terminal, "42 in ");
        await page.Keyboard.TypeAsync("exit 3\n");
        await SaysAsync(page.GetByTestId("terminal-said"), "ended with 3");
        await page.GetByTestId("terminal-new").ClickAsync();
        await SaysAsync(terminal, "$");
        Assert.DoesNotContain("42 in ", await terminal.InnerTextAsync());
    }

    [Fact]
    public async Task Files_Opened_AreSeenToChangeAndGoInAndOut()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.GetByTestId("toolbar-files").ClickAsync();
        var list = page.GetByTestId("files-list");
        await SaysAsync(list, "Downloads");

        // What the guest makes comes by itself.
        await Server.ShellAsync(id, "mkdir -p ~/made && printf 'from the guest' > ~/made/letter.txt");
        await list.Locator("li[data-name=made] button").First.ClickAsync();
        await SaysAsync(list, "letter.txt");
        var fetched = await page.RunAndWaitForDownloadAsync(() => list.Locator("li[data-name='letter.txt'] button").First.ClickAsync());
        Assert.Equal("letter.txt", fetched.SuggestedFilename);
        Assert.Equal("from the guest", await File.ReadAllTextAsync(await fetched.PathAsync(), Token));

        await page.Locator("files-panel input[type=file]")
            .SetInputFilesAsync(
                new FilePayload
                {
                    Name = "für Ada.bin",
                    MimeType = "application/octet-stream",
                    Buffer = new byte[3_000_000],
                }
            );
        await SaysAsync(list, "für Ada.bin");
        await SaysAsync(list, "3.0 MB");
        await Eyes.KeepAsync(page, "panel files");
        Assert.Equal("3000000 user\n", (await Server.ShellAsync(id, "stat -c '%s %U' ~/made/f*.bin")).Stdout);

        await list.Locator("li[data-name='letter.txt'] button[title=Remove]").ClickAsync();
        await page.Locator("files-panel").GetByTestId("destroy-confirm").ClickAsync();
        await OrielServer.EventuallyAsync(
            async () => await list.InnerTextAsync() is var text && text.Contains("letter.txt", StringComparison.Ordinal) ? text : null,
            TimeSpan.FromSeconds(30)
        );
        var folder = await page.RunAndWaitForDownloadAsync(() => page.GetByTestId("files-folder").ClickAsync());
        Assert.Equal("made.tar", folder.SuggestedFilename);
        await page.GetByTestId("files-parent").First.ClickAsync();
        await SaysAsync(list, "user");
    }

    private static Task SaysAsync(ILocator part, string words) =>
        OrielServer.EventuallyAsync(
            async () =>
                await part.CountAsync() == 0 ? $"not there yet: {part}"
                : await part.InnerTextAsync() is var text && text.Contains(words, StringComparison.Ordinal) ? null
                : $"wanted '{words}' in: {text}",
            TimeSpan.FromSeconds(30)
        );
}
