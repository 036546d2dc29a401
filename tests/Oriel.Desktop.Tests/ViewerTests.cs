using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>
/// The page as a person uses it, against a real desktop; what is asserted is what the decoded video shows and what the guest got.
/// </summary>
public sealed class ViewerTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Connect_Pressed_ShowsProgressThenALiveDesktop()
    {
        SkipUnlessPrepared();
        var page = await Ring.SignInAsync();
        await page.GetByTestId("connect").First.ClickAsync();
        await page.GetByTestId("progress").First.WaitForAsync();
        await Eyes.PlaysAsync(page, seconds: 240);
        await Eyes.KeepAsync(page, "connect");
        Assert.Equal(new[] { 1280, 720 }, await Eyes.SizeAsync(page));

        // Destroyed by the page's own button, asked twice.
        var id = new Uri(page.Url).Segments[^1];
        await page.GetByTestId("destroy").First.ClickAsync();
        await page.GetByTestId("destroy-confirm").ClickAsync();
        await OrielServer.EventuallyAsync(
            async () =>
                (await DesktopsAsync()).Any(desktop => desktop!["id"]!.GetValue<string>() == id) ? "the desktop is still listed" : null,
            TimeSpan.FromSeconds(60)
        );
    }

    [Fact]
    public async Task Terminal_TypedCommand_PaintsItsColours()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(220, 20, 60));
        await Eyes.SeesAsync(page, (220, 20, 60), 0.02, "the terminal's colour pattern");
    }

    [Fact]
    public async Task Browser_PageBehindTheProxy_IsSeenAndTakesInput()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        Ring.Site.Forget();
        var page = await Ring.OpenViewerAsync(id);
        await Server.ShellAsync(id, $"setsid /usr/bin/chromium {Ring.Site.Url}?new >/dev/null 2>&1 &");
        // Not the load of the start page, which may come at the same time.
        await Ring.Site.ToldAsync("load", value => value == "?new");
        await Eyes.SeesAsync(page, TestSite.Loaded, 0.1, "the test site");

        await Pointing.ClickGuestAsync(page, Pointing.Browser);
        await Ring.Site.ToldAsync("click", value => value.StartsWith("0 ", StringComparison.Ordinal));
        await Eyes.SeesAsync(page, TestSite.Clicked, 0.1, "the click");
        await page.Keyboard.PressAsync("x");
        await Eyes.SeesAsync(page, TestSite.Keyed, 0.1, "the key");
        await page.Mouse.WheelAsync(0, 240);
        await Ring.Site.ToldAsync("wheel", value => double.Parse(value, System.Globalization.CultureInfo.InvariantCulture) > 0);
        await Eyes.SeesAsync(page, TestSite.Wheeled, 0.1, "the wheel");

        var egress = (await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/egress"))!;
        Assert.Contains(
            egress["log"]!.AsArray(),
            entry => entry!["host"]!.GetValue<string>() == TestSite.Host && entry["verdict"]!.GetValue<string>() == "allowed"
        );
    }

    [Fact]
    public async Task Keyboard_EveryPrintableCharacter_ArrivesAsTyped()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await Terminal.BeginAsync(Server, page, id, "cat > /tmp/typed");
        await page.Keyboard.TypeAsync("Hello, World! ~@#$%^&*()_+{}|:\"<>?", new KeyboardTypeOptions { Delay = 5 });
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Control+d");
        await GuestFileIsAsync(id, "/tmp/typed", "Hello, World! ~@#$%^&*()_+{}|:\"<>?\n");
    }

    [Fact]
    public async Task Clipboard_BothWays_CarriesText()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.EvaluateAsync("() => navigator.clipboard.writeText('from the page: grüße 漢字')");
        // A terminal fetches what it pastes, so a key right behind would overtake it: without lines each character counts at once, and no
        // key has to follow.
        await Terminal.BeginAsync(Server, page, id, "stty -icanon; cat > /tmp/pasted");
        await page.Keyboard.PressAsync("Control+Shift+V");
        await GuestFileIsAsync(id, "/tmp/pasted", "from the page: grüße 漢字");
        await page.Keyboard.PressAsync("Control+c");

        // And back: what is selected in the guest and copied there is on the page's clipboard.
        await Terminal.RunAsync(Server, page, id, "stty sane; clear; echo from-the-guest");
        await page.Keyboard.PressAsync("Control+Shift+A");
        await page.Keyboard.PressAsync("Control+Shift+C");
        await HoldsAsync("from-the-guest");

        // The same again, after another text was copied here: each copy counts (ICCCM 2.1).
        await page.EvaluateAsync("() => navigator.clipboard.writeText('copied here meanwhile')");
        await page.Keyboard.PressAsync("Control+Shift+C");
        await HoldsAsync("from-the-guest");

        Task HoldsAsync(string wanted) =>
            OrielServer.EventuallyAsync(
                async () =>
                    await page.EvaluateAsync<string>("() => navigator.clipboard.readText()") is var text
                    && text.Contains(wanted, StringComparison.Ordinal)
                        ? null
                        : $"the page's clipboard holds '{text}'",
                TimeSpan.FromSeconds(20)
            );
    }

    [Fact]
    public async Task Clipboard_OverTheBound_IsRefusedWithAMessage()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.EvaluateAsync("() => navigator.clipboard.writeText('x'.repeat(1024 * 1024 + 1))");
        await page.Keyboard.PressAsync("Control+v");
        await page.GetByTestId("error-reason").GetByText("more than 1 MiB").WaitForAsync();
    }

    [Fact]
    public async Task Reload_ViewerPage_ShowsThePictureAgain()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.ReloadAsync();
        await Eyes.PlaysAsync(page);
    }

    [Fact]
    public async Task TwoViewers_OneDesktop_BothSeeIt()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var first = await Ring.OpenViewerAsync(id);
        var second = await Ring.OpenViewerAsync(id);
        await Terminal.RunAsync(Server, first, id, Terminal.Paint(90, 10, 200));
        await Eyes.SeesAsync(first, (90, 10, 200), 0.02, "the first viewer");
        await Eyes.SeesAsync(second, (90, 10, 200), 0.02, "the second viewer");
        await ViewersAreAsync(id, 2);

        // A page that goes says so, and is not counted until its consent expires (RFC 7675: 30 s).
        await second.GotoAsync("about:blank");
        await ViewersAreAsync(id, 1);
    }

    /// <summary>
    /// Takes the README's picture: run by its name with <c>-explicit only</c>, then copy readme.png from ORIEL_TEST_OUTPUT.
    /// </summary>
    [Fact(Explicit = true)]
    public async Task Picture_OfTheReadme_IsTaken()
    {
        SkipUnlessPrepared();
        var id = Ring.IdOf(await Server.CreateDesktopAsync(new { name = "research" }));
        await Server.WaitReadyAsync(id);
        var page = await Ring.OpenViewerAsync(id);
        await Eyes.SeesAsync(page, (255, 255, 255), 0.15, "the browser's page");
        await Terminal.RunAsync(
            Server,
            page,
            id,
            "clear; head -2 /etc/os-release; echo; env | grep -i ^https_proxy; echo; for c in 41 42 43 44 45 46; do printf '\\033[%sm        ' $c; done; printf '\\033[0m\\n'"
        );
        await Eyes.SeesAsync(page, (170, 0, 0), 0.0005, "the coloured line");
        await Eyes.KeepAsync(page, "readme");
    }
}
