using Oriel.Tests.Shared;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>Chromium as a WebRTC peer.</summary>
public sealed class Chromium : DebianChromium
{
    public async Task<BrowserPeer> OpenAsync()
    {
        var page = await NewPageAsync();
        await page.SetContentAsync("<!doctype html><video id=v autoplay muted playsinline></video>");
        await page.EvaluateAsync(BrowserPeer.Script);
        return new BrowserPeer(page);
    }
}
