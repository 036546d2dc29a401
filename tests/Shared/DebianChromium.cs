using Microsoft.Playwright;
using Xunit;

namespace Oriel.Tests.Shared;

/// <summary>
/// One headless Chromium of Debian for a test class; skips with the reason where there is none. A source file of several test projects.
/// </summary>
public abstract class DebianChromium : IAsyncLifetime
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
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = Executable,
                Args =
                [
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--allow-loopback-in-peer-connection",
                    "--autoplay-policy=no-user-gesture-required",
                ],
            }
        );
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
        }

        _playwright?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A page of its own; the caller closes it.</summary>
    protected Task<IPage> NewPageAsync()
    {
        if (_browser is null)
        {
            Assert.Skip($"{Executable} is not installed");
        }

        return _browser.NewPageAsync();
    }
}
