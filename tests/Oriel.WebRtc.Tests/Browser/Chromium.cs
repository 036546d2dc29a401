using Microsoft.Playwright;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>One Debian Chromium for a test class; skips with a reason where there is none.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private const string Executable = "/usr/bin/chromium";
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists(Executable))
        {
            return;
        }

        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Executable,
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required",
            ],
        });
    }

    public async Task<BrowserPeer> OpenAsync()
    {
        if (_browser is null)
        {
            Assert.Skip($"{Executable} is not installed.");
        }

        var page = await _browser.NewPageAsync();
        await page.SetContentAsync("<!doctype html><video id=v autoplay muted playsinline></video>");
        await page.EvaluateAsync(BrowserPeer.Script);
        return new BrowserPeer(page);
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
    }
}
