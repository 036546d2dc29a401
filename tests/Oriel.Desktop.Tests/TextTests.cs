using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>Text and keys between page and guest that a plain key press does not cover.</summary>
public sealed class TextTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Text_OfOtherScripts_ArrivesInAProgram()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await Terminal.BeginAsync(Server, page, id, "cat > /tmp/scripts");
        // As a phone's keyboard or an emoji picker gives it.
        await page.Keyboard.InsertTextAsync("grüße Ελλάδα 漢字 😀 ");

        // As an input method composes it: the reading is seen in the field alone, what is chosen goes to the guest.
        var browser = await page.Context.NewCDPSessionAsync(page);
        foreach (var reading in new[] { "に", "にほ", "にほん" })
        {
            await browser.SendAsync(
                "Input.imeSetComposition",
                new()
                {
                    ["text"] = reading,
                    ["selectionStart"] = reading.Length,
                    ["selectionEnd"] = reading.Length,
                }
            );
        }

        await browser.SendAsync("Input.insertText", new() { ["text"] = "日本" });
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Control+d");
        await GuestFileIsAsync(id, "/tmp/scripts", "grüße Ελλάδα 漢字 😀 日本\n");
    }

    [Fact]
    public async Task ShiftHeld_PageLosesFocus_GuestNoLongerSeesIt()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var holder = await Ring.OpenViewerAsync(id);
        // Playwright makes every page believe that it has the focus; here it shall lose it.
        var browser = await holder.Context.NewCDPSessionAsync(holder);
        await browser.SendAsync("Emulation.setFocusEmulationEnabled", new() { ["enabled"] = false });
        var clicker = await Ring.OpenViewerAsync(id);
        Ring.Site.Forget();
        await Server.ShellAsync(id, $"setsid /usr/bin/chromium {Ring.Site.Url}?new >/dev/null 2>&1 &");
        // Not the load of the start page, which may come at the same time.
        await Ring.Site.ToldAsync("load", value => value == "?new");
        await holder.BringToFrontAsync();
        await ClickIsToldAsync(holder, "plain");
        await holder.Keyboard.DownAsync("Shift");
        // The other viewer holds nothing: what its click is told with is what the guest's keyboard says.
        await ClickIsToldAsync(clicker, "shift");

        var other = await holder.Context.NewPageAsync();
        await other.BringToFrontAsync();
        await holder.WaitForFunctionAsync("() => !document.hasFocus()");
        await ClickIsToldAsync(clicker, "plain");

        Task ClickIsToldAsync(IPage from, string wanted)
        {
            Ring.Site.Forget();
            return OrielServer.EventuallyAsync(
                async () =>
                {
                    await Pointing.ClickGuestAsync(from, Pointing.Browser);
                    return Ring.Site.HasTold("click", value => value.EndsWith(wanted, StringComparison.Ordinal))
                        ? null
                        : $"the guest's browser was not told a {wanted} click";
                },
                TimeSpan.FromSeconds(30)
            );
        }
    }
}
