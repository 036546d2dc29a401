using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>Reads the page's card of a failure.</summary>
internal static class ErrorStates
{
    /// <summary>Waits for the card with the reason, and checks that it says the words and offers the next step.</summary>
    public static async Task ShowsAsync(IPage page, string reason, string words, string nextStep)
    {
        var card = page.Locator("failure-card section");
        await OrielServer.EventuallyAsync(
            async () =>
                await card.CountAsync() > 0 && await card.First.GetByTestId("error-reason").First.InnerTextAsync() == reason
                    ? null
                    : $"no card with the reason {reason}; the page says: {await page.Locator("body").InnerTextAsync()}",
            TimeSpan.FromSeconds(60)
        );
        Assert.Contains(words, await card.First.InnerTextAsync(), StringComparison.Ordinal);
        Assert.True(
            await card.First.GetByTestId(nextStep).IsVisibleAsync(),
            $"the card offers no {nextStep}: {await card.First.InnerTextAsync()}"
        );
    }
}
