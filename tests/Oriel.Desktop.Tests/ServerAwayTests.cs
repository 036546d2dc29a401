using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>What pages say while the server is gone, and that they come back by themselves.</summary>
public sealed class ServerAwayTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task ServerGone_OpenPages_SaySoAndComeBack()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var viewer = await Ring.OpenViewerAsync(id);
        var list = await viewer.Context.NewPageAsync();
        await list.GotoAsync(Server.Address.ToString());
        await list.GetByTestId("desktop-card").First.WaitForAsync();
        await Recorder.StartAsync(viewer, "chip", "one('[data-testid=state-chip]')?.dataset.state");
        await Recorder.StartAsync(viewer, "notice", "text('[data-testid=viewer-notice]')[0]");

        await Server.KillAsync();
        try
        {
            await ChipIsAsync(viewer, "reconnecting");
            await viewer.GetByTestId("viewer-notice").GetByText("The server does not answer").WaitForAsync();
            await Eyes.KeepAsync(viewer, "server away viewer");
            await list.BringToFrontAsync();
            await list.GetByTestId("server-away").WaitForAsync();
            await Eyes.KeepAsync(list, "server away list");

            // Connect leads nowhere now; the card says what to do, and Try again works once the server is back.
            await list.GetByTestId("connect").First.ClickAsync();
            await ErrorStates.ShowsAsync(list, "server-unreachable", "does not answer", "next-retry");
            await Eyes.KeepAsync(list, "server away connect");
        }
        finally
        {
            await Server.RestartAsync();
        }

        await ChipIsAsync(viewer, "connected");
        await list.GetByTestId("server-away").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Hidden });
        var chip = await Recorder.SeenAsync(viewer, "chip");
        Assert.Equal("connected", chip[0]);
        var interrupted = Array.IndexOf(chip, "interrupted");
        var reconnecting = Array.IndexOf(chip, "reconnecting");
        Assert.True(interrupted > 0 && reconnecting > interrupted, "the chip said " + string.Join(", ", chip));
        Assert.Contains(await Recorder.SeenAsync(viewer, "notice"), text => text.Contains("interrupted", StringComparison.Ordinal));
    }

    private static Task ChipIsAsync(IPage page, string wanted) =>
        OrielServer.EventuallyAsync(
            async () =>
                await page.GetByTestId("state-chip").First.GetAttributeAsync("data-state") is var state && state == wanted
                    ? null
                    : $"the chip says {state}, wanted {wanted}",
            TimeSpan.FromSeconds(90)
        );
}
