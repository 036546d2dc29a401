using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>Turns points of the guest's screen into points of the page.</summary>
internal static class Pointing
{
    /// <summary>Points of the 1280x720 screen that the image's window placement leaves to the terminal and to the browser.</summary>
    public static readonly (int X, int Y) Terminal = (200, 400),
        Browser = (1000, 500);

    public static async Task ClickGuestAsync(IPage page, (int X, int Y) point)
    {
        var (x, y) = await OnPageAsync(page, point);
        await page.Mouse.ClickAsync(x, y);
    }

    public static async Task<(float X, float Y)> OnPageAsync(IPage page, (int X, int Y) point)
    {
        // A page is connected before its first picture is there.
        int[] size = [];
        await OrielServer.EventuallyAsync(
            async () => (size = await Eyes.SizeAsync(page))[0] > 0 ? null : "no picture has come yet",
            TimeSpan.FromSeconds(60)
        );
        // The video, or the canvas of the fallback.
        var box =
            await page.Locator("[data-testid=video]:visible, [data-testid=canvas]:visible").First.BoundingBoxAsync()
            ?? throw new InvalidOperationException("The picture has no box on the page.");
        // object-fit: contain, so the picture is centred in its box.
        var scale = Math.Min(box.Width / size[0], box.Height / size[1]);
        var left = box.X + ((box.Width - (size[0] * scale)) / 2);
        var top = box.Y + ((box.Height - (size[1] * scale)) / 2);
        return (left + (point.X * scale), top + (point.Y * scale));
    }
}

internal static class HttpJson
{
    public static async Task<JsonNode?> GetFromJsonAsyncNode(this HttpClient client, string path) =>
        JsonNode.Parse(await client.GetStringAsync(path));
}
