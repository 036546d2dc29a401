using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>
/// What all tests of the ring share: one server, one outside world, one Chromium; and one desktop for those that leave it whole.
/// </summary>
public sealed class Ring : IAsyncLifetime
{
    /// <summary>Of the Chromium that stands for the user's browser.</summary>
    internal static readonly string[] ChromiumArguments =
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
    ];

    private readonly SemaphoreSlim _once = new(1, 1);
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private readonly List<IBrowserContext> _contexts = [];
    private string? _shared;

    public OrielServer Server { get; private set; } = null!;

    public TestSite Site { get; private set; } = null!;

    /// <summary>Why the ring cannot run, or null.</summary>
    public string? Missing { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Missing = OrielServer.MissingReason();
        if (Missing is not null)
        {
            return;
        }

        Site = await TestSite.StartAsync();
        Server = await OrielServer.StartAsync(["--max-desktops", "12", .. TestSite.ServerOptions]);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = "/usr/bin/chromium", Args = ChromiumArguments }
        );
    }

    /// <summary>A signed-in page in a context (cookies, clipboard) of its own.</summary>
    public Task<IPage> SignInAsync(int width = 1400, int height = 860) =>
        SignInAsync(
            Server,
            new BrowserNewContextOptions
            {
                ViewportSize = new ViewportSize { Width = width, Height = height },
            }
        );

    /// <summary>The same for any server and kind of browser window.</summary>
    public async Task<IPage> SignInAsync(OrielServer server, BrowserNewContextOptions window)
    {
        var page = await OpenAsync(window);
        await page.GotoAsync(await server.NewSignInUrlAsync());
        await page.GetByTestId("connect").First.WaitForAsync();
        return page;
    }

    /// <summary>An empty page in a context of its own.</summary>
    public async Task<IPage> OpenAsync(BrowserNewContextOptions window)
    {
        window.Permissions = ["clipboard-read", "clipboard-write"];
        var context = await _browser!.NewContextAsync(window);
        _contexts.Add(context);
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(60_000);
        return page;
    }

    /// <summary>Another browser, which reaches nothing but these TCP ports of 127.0.0.1.</summary>
    internal Task<Fence> StartFenceAsync(params int[] ports) => Fence.StartAsync(_playwright!, ChromiumArguments, ports);

    /// <summary>The desktop that tests share when they do not end it: it opens the test site, whose CA it trusts.</summary>
    public async Task<string> SharedDesktopAsync()
    {
        await _once.WaitAsync();
        try
        {
            if (_shared is null)
            {
                var desktop = await Server.CreateDesktopAsync(NewDesktop("shared"));
                _shared = desktop["id"]!.GetValue<string>();
                await Server.WaitReadyAsync(_shared);
            }

            return _shared;
        }
        finally
        {
            _once.Release();
        }
    }

    /// <summary>A create request with the test site as the start page.</summary>
    /// <param name="page">The site's, which it opens.</param>
    public object NewDesktop(string name, string page = "") =>
        new
        {
            name,
            startUrl = Site.Url + page,
            trust = new[] { Site.Authority },
            width = 1280,
            height = 720,
        };

    /// <summary>A signed-in page that shows the given desktop's live picture.</summary>
    public async Task<IPage> OpenViewerAsync(string id)
    {
        var page = await SignInAsync();
        await ShowAsync(page, id);
        return page;
    }

    /// <summary>
    /// Opens a desktop in a page and waits for its picture by WebRTC. A machine may be too busy for that within the time after which the
    /// viewer takes the WebSocket; then it is opened again.
    /// </summary>
    internal async Task ShowAsync(IPage page, string id)
    {
        for (var attempt = 1; ; attempt++)
        {
            await page.GotoAsync($"{Server.Address}desktops/{id}");
            await Eyes.IsConnectedAsync(page);
            if (
                attempt == 3
                || !(await page.GetByTestId("state-chip").First.InnerTextAsync()).Contains("WebSocket", StringComparison.Ordinal)
            )
            {
                break;
            }
        }

        await Eyes.PlaysAsync(page);
        await page.GetByTestId("viewer-notice").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Hidden });
    }

    /// <summary>
    /// Ends what a test has left: its pages, and every desktop but the shared one. A test that failed may have left that one in any state,
    /// so then it goes as well, with a picture of each page kept.
    /// </summary>
    public async Task TidyAsync(bool failed)
    {
        foreach (var context in _contexts)
        {
            foreach (var page in context.Pages)
            {
                if (failed)
                {
                    await Eyes.KeepAsync(
                        page,
                        $"failed {TestContext.Current.TestMethod?.MethodName} {context.Pages.ToList().IndexOf(page)}"
                    );
                }

                // As a person leaves: the page tells the server that it goes.
                await page.GotoAsync("about:blank");
            }

            await context.CloseAsync();
        }

        _contexts.Clear();
        if (failed)
        {
            _shared = null;
        }

        if (Server.IsRunning)
        {
            await Server.DestroyAllAsync(but: _shared);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Missing is not null)
        {
            return;
        }

        await _browser!.CloseAsync();
        _playwright!.Dispose();
        await Server.DisposeAsync();
        await Site.DisposeAsync();
    }

    internal static string IdOf(JsonObject desktop) => desktop["id"]!.GetValue<string>();
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class RingCollection : ICollectionFixture<Ring>
{
    public const string Name = "desktop ring";
}
