using System.Text.Json;
using Microsoft.Playwright;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Streaming;

/// <summary>Chromium with the page of the streaming tests.</summary>
public sealed class BrowserFixture : DebianChromium
{
    internal async Task<WatchingPage> OpenAsync(StreamingServer server)
    {
        var page = await NewPageAsync();
        await page.GotoAsync(new Uri(server.Address, "/page").ToString());
        return new WatchingPage(page, server);
    }
}

/// <summary>The page of page.html in a real browser.</summary>
internal sealed class WatchingPage(IPage page, StreamingServer server) : IAsyncDisposable
{
    public IPage Page => page;

    public Task WatchAsync(string codec = "", string shape = "whep") =>
        page.EvaluateAsync("([path, codec, shape]) => watch(path, codec, shape)", new[] { server.DesktopPath, codec, shape });

    public Task WatchByWhepAsync(string bundlePolicy, string first) =>
        page.EvaluateAsync(
            "([path, policy, first]) => watch(path, '', 'whep', policy, first)",
            new[] { server.DesktopPath, bundlePolicy, first }
        );

    public Task WatchOfferedAsync() => page.EvaluateAsync("path => watchOffered(path)", server.DesktopPath);

    public async Task PictureAsync(int frames = 5)
    {
        var goal = await page.EvaluateAsync<int>("() => oriel.frames") + frames;
        await UntilAsync($"oriel.frames >= {goal}");
        var corner = await page.EvaluateAsync<int[]>("() => corner()");
        Assert.Equal([Recording.Width, Recording.Height], corner[..2]);
        Assert.True(corner[4] > 150 && corner[2] < 100 && corner[3] < 100, $"the corner is not blue: {string.Join(",", corner)}");
    }

    public async Task UntilAsync(string condition)
    {
        try
        {
            await page.WaitForFunctionAsync(
                $"() => {condition}",
                null,
                new PageWaitForFunctionOptions { Timeout = 30_000, PollingInterval = 20 }
            );
        }
        catch (TimeoutException)
        {
            var seen = await page.EvaluateAsync<string>(
                "() => JSON.stringify({ frames: oriel.frames, states: oriel.states, control: oriel.control.slice(-5) })"
            );
            Assert.Fail($"not within 30 s: {condition}; last seen {seen}");
        }
    }

    public async Task<string> LocationAsync() => await page.EvaluateAsync<string>("() => oriel.location");

    /// <summary>The control messages of a type, as they came.</summary>
    public async Task<JsonElement[]> ControlAsync(string type)
    {
        var json = await page.EvaluateAsync<string>("t => JSON.stringify(oriel.control.filter(m => m.t === t))", type);
        return [.. JsonDocument.Parse(json).RootElement.EnumerateArray()];
    }

    public async ValueTask DisposeAsync() => await page.CloseAsync();
}
