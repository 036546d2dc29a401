using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>The page as a person uses it, against a real desktop; what is asserted is what the decoded video shows and what the guest got.</summary>
[Collection(RingCollection.Name)]
public sealed class ViewerTests(Ring ring)
{
    [Fact]
    public async Task Connect_Pressed_ShowsProgressThenALiveDesktop()
    {
        SkipUnlessPrepared();
        var page = await ring.SignInAsync();
        await page.GetByTestId("connect").First.ClickAsync();
        await page.GetByTestId("progress").First.WaitForAsync();
        await Eyes.PlaysAsync(page, seconds: 240);
        await Eyes.KeepAsync(page, "connect");
        Assert.Equal(new[] { 1280, 720 }, await Eyes.SizeAsync(page));

        // Destroyed by the page's own button, asked twice.
        page.Dialog += (_, dialog) => _ = dialog.AcceptAsync();
        await page.GetByTestId("destroy").First.ClickAsync();
        var confirm = page.GetByTestId("destroy-confirm");
        if (await confirm.CountAsync() > 0)
        {
            await confirm.First.ClickAsync();
        }

        await OrielServer.EventuallyAsync(
            async () => (await DesktopsAsync()).Any(desktop => desktop!["name"]!.GetValue<string>() != "shared") ? "the desktop is still listed" : null,
            TimeSpan.FromSeconds(60));
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task Terminal_TypedCommand_PaintsItsColours()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var page = await ring.OpenViewerAsync(id);
        await Terminal.RunAsync(ring.Server, page, id, Terminal.Paint(220, 20, 60));
        await Eyes.SeesAsync(page, (220, 20, 60), 0.02, "the terminal's colour pattern");
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task Browser_PageBehindTheProxy_IsSeenAndTakesInput()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        ring.Site.Forget();
        var page = await ring.OpenViewerAsync(id);
        await ring.Server.ShellAsync(id, $"setsid /usr/bin/chromium {ring.Site.Url} >/dev/null 2>&1 &");
        await ring.Site.ToldAsync("load", _ => true);
        await Eyes.SeesAsync(page, TestSite.Loaded, 0.1, "the test site");

        // A click that comes before the page's channels are open is nobody's; a person clicks again.
        await OrielServer.EventuallyAsync(
            async () =>
            {
                await Pointing.ClickGuestAsync(page, Pointing.Browser);
                return ring.Site.HasTold("click") ? null : "the page was clicked and has not told so";
            },
            TimeSpan.FromSeconds(60));
        await ring.Site.ToldAsync("click", value => value.StartsWith("0 ", StringComparison.Ordinal));
        await Eyes.SeesAsync(page, TestSite.Clicked, 0.1, "the click");
        await page.Keyboard.PressAsync("x");
        await Eyes.SeesAsync(page, TestSite.Keyed, 0.1, "the key");
        await page.Mouse.WheelAsync(0, 240);
        await ring.Site.ToldAsync("wheel", value => double.Parse(value, System.Globalization.CultureInfo.InvariantCulture) > 0);
        await Eyes.SeesAsync(page, TestSite.Wheeled, 0.1, "the wheel");

        var egress = (await ring.Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/egress"))!;
        Assert.Contains(egress["log"]!.AsArray(), entry => entry!["host"]!.GetValue<string>() == TestSite.Host && entry["verdict"]!.GetValue<string>() == "allowed");
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task Keyboard_EveryPrintableCharacter_ArrivesAsTyped()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var page = await ring.OpenViewerAsync(id);
        await Terminal.BeginAsync(ring.Server, page, id, "cat > /tmp/typed");
        await page.Keyboard.TypeAsync("Hello, World! ~@#$%^&*()_+{}|:\"<>?", new KeyboardTypeOptions { Delay = 5 });
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Control+d");
        await GuestFileIsAsync(id, "/tmp/typed", "Hello, World! ~@#$%^&*()_+{}|:\"<>?\n");
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task Clipboard_BothWays_CarriesText()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var page = await ring.OpenViewerAsync(id);
        await page.EvaluateAsync("() => navigator.clipboard.writeText('from the page: grüße 漢字')");
        await Terminal.BeginAsync(ring.Server, page, id, "cat > /tmp/pasted");
        await page.Keyboard.PressAsync("Control+Shift+V");
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Control+d");
        await GuestFileIsAsync(id, "/tmp/pasted", "from the page: grüße 漢字\n");

        // And back: what is selected in the guest and copied there is on the page's clipboard.
        await Terminal.RunAsync(ring.Server, page, id, "clear; echo from-the-guest");
        await page.Keyboard.PressAsync("Control+Shift+A");
        await page.Keyboard.PressAsync("Control+Shift+C");
        await OrielServer.EventuallyAsync(
            async () => await page.EvaluateAsync<string>("() => navigator.clipboard.readText()") is var text && text.Contains("from-the-guest", StringComparison.Ordinal) ? null : $"the page's clipboard holds '{text}'",
            TimeSpan.FromSeconds(20));
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task Reload_ViewerPage_ShowsThePictureAgain()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var page = await ring.OpenViewerAsync(id);
        await page.ReloadAsync();
        await Eyes.PlaysAsync(page);
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task TwoViewers_OneDesktop_BothSeeIt()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var first = await ring.OpenViewerAsync(id);
        var second = await ring.OpenViewerAsync(id);
        await Terminal.RunAsync(ring.Server, first, id, Terminal.Paint(90, 10, 200));
        await Eyes.SeesAsync(first, (90, 10, 200), 0.02, "the first viewer");
        await Eyes.SeesAsync(second, (90, 10, 200), 0.02, "the second viewer");
        // Pages of earlier tests that went without a word count until their consent has expired (RFC 7675: 30 s).
        await OrielServer.EventuallyAsync(
            async () => (await ring.Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["viewers"]!.GetValue<int>() is var viewers && viewers == 2 ? null : $"the desktop counts {viewers} viewers",
            TimeSpan.FromSeconds(90));
        await second.Context.CloseAsync();
        await first.Context.CloseAsync();
    }

    /// <summary>Takes the README's picture: run by its name with <c>-explicit only</c>, then copy readme.png from ORIEL_TEST_OUTPUT.</summary>
    [Fact(Explicit = true)]
    public async Task Picture_OfTheReadme_IsTaken()
    {
        SkipUnlessPrepared();
        var id = Ring.IdOf(await ring.Server.CreateDesktopAsync(new { name = "research" }));
        await ring.Server.WaitReadyAsync(id);
        var page = await ring.OpenViewerAsync(id);
        await Eyes.SeesAsync(page, (255, 255, 255), 0.15, "the browser's page");
        await Terminal.RunAsync(ring.Server, page, id, "clear; head -2 /etc/os-release; echo; env | grep -i ^https_proxy; echo; for c in 41 42 43 44 45 46; do printf '\\033[%sm        ' $c; done; printf '\\033[0m\\n'");
        await Eyes.SeesAsync(page, (170, 0, 0), 0.0005, "the coloured line");
        await Eyes.KeepAsync(page, "readme");
        await page.Context.CloseAsync();
    }

    private void SkipUnlessPrepared() => Assert.SkipWhen(ring.Missing is not null, ring.Missing ?? "");

    private async Task<JsonArray> DesktopsAsync() => (await ring.Server.Api.GetFromJsonAsyncNode("/api/desktops"))!["desktops"]!.AsArray();

    private async Task GuestFileIsAsync(string id, string path, string wanted)
    {
        await OrielServer.EventuallyAsync(
            async () =>
            {
                var (_, content, _) = await ring.Server.ShellAsync(id, $"cat {path} 2>/dev/null; true");
                return content == wanted ? null : $"{path} holds \"{content}\", wanted \"{wanted}\"";
            },
            TimeSpan.FromSeconds(30));
    }
}
