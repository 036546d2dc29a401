using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>Where WebRTC's usual way is blocked, the viewer finds another by itself: picture and input go on.</summary>
public sealed partial class FallbackTests(Ring ring) : RingTests(ring)
{
    private static BrowserNewContextOptions Window =>
        new()
        {
            ViewportSize = new ViewportSize { Width = 1400, Height = 860 },
        };

    [Fact]
    public async Task UdpThenTcpBlocked_Viewer_FallsBackToTcpThenToWebSocket()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var media = await Server.MediaPortAsync();
        await using var fence = await Ring.StartFenceAsync(Server.Port, media);
        var context = await fence.Browser.NewContextAsync(Window);
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(60_000);
        await page.GotoAsync(await Server.NewSignInUrlAsync());
        await page.GetByTestId("connect").First.WaitForAsync();
        await Ring.ShowAsync(page, id);
        await page.GetByTestId("toolbar-latency").ClickAsync();
        await page.GetByTestId("latency").GetByText("TCP").WaitForAsync();
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(200, 80, 20));
        await Eyes.SeesAsync(page, (200, 80, 20), 0.02, "the picture over TCP");
        await page.GetByTestId("viewer-notice").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Hidden });
        await Eyes.KeepAsync(page, "fallback tcp");

        // In the middle of the work the media port is blocked for TCP as well.
        fence.Shut(media);
        await page.GetByTestId("error-reason").GetByText("WebRTC does not get through").WaitForAsync();
        await Eyes.IsConnectedAsync(page);
        await page.GetByTestId("latency").GetByText("WebSocket").WaitForAsync();
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(20, 90, 210));
        await Eyes.SeesAsync(page, (20, 90, 210), 0.02, "the picture over the WebSocket");
        await Eyes.KeepAsync(page, "fallback websocket");

        // Mended: asked to, the page takes WebRTC again. (Once more where the machine was too slow for it.)
        fence.Open(media);
        await OrielServer.EventuallyAsync(
            async () =>
            {
                if (await page.GetByTestId("retry-webrtc").IsVisibleAsync())
                {
                    await page.GetByTestId("retry-webrtc").ClickAsync();
                }

                await Eyes.IsConnectedAsync(page);
                return await page.GetByTestId("latency").InnerTextAsync() is var text && text.Contains("TCP", StringComparison.Ordinal)
                    ? null
                    : $"the overlay says: {text}";
            },
            TimeSpan.FromSeconds(60)
        );

        // Not asked to, it does so by itself after a while, and what is shown stays.
        fence.Shut(media);
        await page.GetByTestId("latency").GetByText("WebSocket").WaitForAsync();
        fence.Open(media);
        await page.GetByTestId("latency").GetByText("TCP").WaitForAsync();
        await Eyes.IsConnectedAsync(page);
        await Eyes.SeesAsync(page, (20, 90, 210), 0.02, "the picture that stood, over TCP");
        await page.GetByTestId("retry-webrtc").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Hidden });
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(210, 40, 130));
        await Eyes.SeesAsync(page, (210, 40, 130), 0.02, "the picture of the way that was found again");
        await context.CloseAsync();
    }

    [Fact]
    public async Task BrowserWithoutWebRtc_Viewer_TakesTheWebSocketAtOnce()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.SignInAsync();
        await page.AddInitScriptAsync("delete globalThis.RTCPeerConnection");
        await page.GotoAsync($"{Server.Address}desktops/{id}");
        await Assertions.Expect(page.GetByTestId("state-chip")).ToHaveTextAsync(Connected());
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(120, 160, 30));
        await Eyes.SeesAsync(page, (120, 160, 30), 0.02, "the picture without WebRTC");

        // Without WebCodecs nothing is left: the viewer says so, and what would help.
        await page.AddInitScriptAsync("delete globalThis.VideoDecoder");
        await page.ReloadAsync();
        var notice = page.GetByTestId("viewer-notice");
        await notice.GetByText("WebRTC is blocked here").WaitForAsync();
        Assert.Contains("open the server's media port for UDP or TCP", await notice.InnerTextAsync(), StringComparison.Ordinal);
        await notice.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Try again" }).WaitForAsync();
        await Eyes.KeepAsync(page, "fallback nothing left");
    }

    [GeneratedRegex("^connected · WebSocket$")]
    private static partial Regex Connected();
}
