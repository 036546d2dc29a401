using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>
/// The page in light and dark, on a desk and on a phone, and by the keyboard alone. Screenshots are kept for whoever wants to look.
/// </summary>
public sealed class LooksTests(Ring ring) : RingTests(ring)
{
    private static readonly string[] Tools = ["keys", "clipboard", "egress", "log", "latency"];

    [Theory]
    [InlineData("light", ColorScheme.Light, false)]
    [InlineData("dark", ColorScheme.Dark, false)]
    [InlineData("phone light", ColorScheme.Light, true)]
    [InlineData("phone dark", ColorScheme.Dark, true)]
    public async Task Pages_InEachSchemeAndWidth_FitAndCanBeRead(string name, ColorScheme scheme, bool phone)
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenAsync(
            new BrowserNewContextOptions
            {
                ViewportSize = phone ? new ViewportSize { Width = 390, Height = 844 } : new ViewportSize { Width = 1280, Height = 800 },
                ColorScheme = scheme,
                HasTouch = phone,
                IsMobile = phone,
            }
        );
        await page.GotoAsync($"{Server.Address}signin");
        await page.GetByTestId("token").WaitForAsync();
        var paper = await page.EvaluateAsync<int[]>("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)");
        Assert.True(
            scheme == ColorScheme.Light ? paper.All(part => part > 220) : paper.All(part => part < 40),
            $"the {name} page's background is {string.Join(", ", paper)}"
        );
        await LooksGoodAsync(page, $"{name} sign in");
        await page.GetByTestId("token").FillAsync(await Server.TokenAsync());
        await page.GetByTestId("sign-in").ClickAsync();

        await page.Locator($"[data-id={id}] live-thumbnail img").WaitForAsync();
        await LooksGoodAsync(page, $"{name} list");
        Assert.InRange(await Looks.JumpsAsync(page), 0, 0.1);
        await page.GotoAsync($"{Server.Address}sessions");
        await page.GetByTestId("this-session").WaitForAsync();
        await LooksGoodAsync(page, $"{name} sessions");
        await page.GotoAsync($"{Server.Address}new");
        await page.GetByText("More settings").ClickAsync();
        await LooksGoodAsync(page, $"{name} new");

        await Ring.ShowAsync(page, id);
        Assert.InRange(await Looks.JumpsAsync(page), 0, 0.1);
        foreach (var tool in Tools)
        {
            await page.GetByTestId($"toolbar-{tool}").ClickAsync();
            if (tool == "egress")
            {
                await page.GetByTestId("egress-summary").WaitForAsync();
            }

            await LooksGoodAsync(page, $"{name} {tool}");
            if (tool == "keys")
            {
                await page.Keyboard.PressAsync("Escape");
            }
        }
    }

    [Fact]
    public async Task KeyboardAlone_FromSignInToDestroy_IsEnough()
    {
        SkipUnlessPrepared();
        var page = await Ring.OpenAsync(
            new BrowserNewContextOptions
            {
                ViewportSize = new ViewportSize { Width = 1280, Height = 800 },
            }
        );
        await page.GotoAsync($"{Server.Address}signin");
        await FocusIsAsync(page, "token");
        await page.Keyboard.InsertTextAsync(await Server.TokenAsync());
        await page.Keyboard.PressAsync("Enter");
        await page.GetByTestId("connect").First.WaitForAsync();
        await Looks.TabToAsync(page, "connect");
        await Eyes.KeepAsync(page, "keyboard connect");
        await page.Keyboard.PressAsync("Enter");

        await Eyes.PlaysAsync(page, seconds: 120);
        await Eyes.IsConnectedAsync(page);
        var id = new Uri(page.Url).Segments[^1];
        await FocusIsAsync(page, "keys");

        // Keys go to the desktop, Tab among them, until the chord gives them back.
        await page.Keyboard.PressAsync("Tab");
        await FocusIsAsync(page, "keys");
        foreach (var key in new[] { "Control", "Alt", "Shift" })
        {
            await page.Keyboard.DownAsync(key);
        }

        foreach (var key in new[] { "Shift", "Alt", "Control" })
        {
            await page.Keyboard.UpAsync(key);
        }

        await FocusIsAsync(page, "toolbar-back");
        await Looks.TabToAsync(page, "toolbar-log");
        await page.Keyboard.PressAsync("Enter");
        await page.GetByTestId("log-panel").WaitForAsync();
        await Looks.TabToAsync(page, "destroy");
        await page.Keyboard.PressAsync("Enter");
        await Looks.TabToAsync(page, "destroy-confirm");
        await Eyes.KeepAsync(page, "keyboard destroy");
        await page.Keyboard.PressAsync("Enter");
        await page.GetByTestId("connect").First.WaitForAsync();
        await OrielServer.EventuallyAsync(
            async () => (await DesktopsAsync()).Any(desktop => desktop!["id"]!.GetValue<string>() == id) ? $"{id} is still listed" : null,
            TimeSpan.FromSeconds(60)
        );
    }

    private static async Task FocusIsAsync(IPage page, string testId) =>
        await OrielServer.EventuallyAsync(
            async () =>
                await Looks.FocusAsync(page) is var focus && focus.TestId == testId && focus.Shown
                    ? null
                    : $"the focus is at {focus.Name}, {(focus.Shown ? "" : "not ")}seen; wanted {testId}",
            TimeSpan.FromSeconds(10)
        );

    private static async Task LooksGoodAsync(IPage page, string name)
    {
        await Eyes.KeepAsync(page, name);
        var faults = await Looks.FaultsAsync(page);
        Assert.True(faults.Length == 0, $"{name}: {string.Join("; ", faults)}");
    }
}
