using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>What the viewer's toolbar offers, each pressed in the page and seen to do what it says.</summary>
public sealed partial class ViewerPartsTests(Ring ring) : RingTests(ring)
{
    private const int ToolbarHeight = 46;

    [Fact]
    public async Task Latency_Opened_ShowsEachStageInMilliseconds()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.GetByTestId("toolbar-latency").ClickAsync();
        var overlay = page.GetByTestId("latency");
        await Terminal.BeginAsync(Server, page, id, "while :; do date +%N; read -t 0.1 -n 1 && break; done");
        var stages = new Dictionary<string, double>();
        await OrielServer.EventuallyAsync(
            async () =>
            {
                var text = await overlay.InnerTextAsync();
                stages = Stage()
                    .Matches(text)
                    .ToDictionary(
                        match => match.Groups["name"].Value,
                        match => double.Parse(match.Groups["ms"].Value, CultureInfo.InvariantCulture)
                    );
                return stages.Count == 6 && stages["encode"] > 0 && stages["decode"] > 0 && Rates().IsMatch(text)
                    ? null
                    : $"the overlay says: {text}";
            },
            TimeSpan.FromSeconds(30)
        );
        await Eyes.KeepAsync(page, "latency");
        Assert.Equal(["capture", "decode", "display", "encode", "network", "total"], stages.Keys.Order());
        Assert.Equal(stages.Where(stage => stage.Key != "total").Sum(stage => stage.Value), stages["total"], tolerance: 0.5);
        Assert.StartsWith("Delay ", await overlay.Locator("canvas").GetAttributeAsync("aria-label"), StringComparison.Ordinal);
        await page.Keyboard.PressAsync("q");
        await page.GetByTestId("toolbar-latency").ClickAsync();
        Assert.False(await overlay.IsVisibleAsync());
    }

    [Fact]
    public async Task List_ReadyDesktop_ShowsItsLivePicture()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        var list = await page.Context.NewPageAsync();
        await list.GotoAsync(Server.Address.ToString());
        var picture = list.Locator($"[data-id={id}] live-thumbnail img");
        await picture.WaitForAsync();
        foreach (var (r, g, b) in new[] { (210, 120, 10), (10, 120, 90) })
        {
            await page.BringToFrontAsync();
            await Terminal.RunAsync(Server, page, id, Terminal.Paint(r, g, b));
            await list.BringToFrontAsync();
            await OrielServer.EventuallyAsync(
                async () =>
                    await picture.EvaluateAsync<double>(ShareOfImage, new[] { r, g, b }) is var share && share > 0.02
                        ? null
                        : $"{share:P2} of the thumbnail has the colour {(r, g, b)}",
                TimeSpan.FromSeconds(30)
            );
        }

        await Eyes.KeepAsync(list, "thumbnails");
    }

    [Fact]
    public async Task Picture_FitActualAndFullScreen_FillsWhatItShould()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.SetViewportSizeAsync(1000, 600);
        var fitted = await PictureBoxAsync(page);
        Assert.Equal((1000f, 600f - ToolbarHeight), (fitted.Width, fitted.Height));

        // One to one: the picture keeps its pixels and is scrolled in its place; the page itself is not.
        await page.GetByTestId("toolbar-scale").ClickAsync();
        await OrielServer.EventuallyAsync(
            async () =>
                await PictureBoxAsync(page) is var box && (box.Width, box.Height) == (1280f, 720f)
                    ? null
                    : $"the picture is {box.Width} x {box.Height}",
            TimeSpan.FromSeconds(10)
        );
        Assert.Equal(
            "1000 600",
            await page.EvaluateAsync<string>("() => document.scrollingElement.scrollWidth + ' ' + document.scrollingElement.scrollHeight")
        );
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(60, 60, 200));
        await page.GetByTestId("toolbar-scale").ClickAsync();

        await page.GetByTestId("toolbar-fullscreen").ClickAsync();
        await page.WaitForFunctionAsync("() => document.fullscreenElement !== null");
        await OrielServer.EventuallyAsync(
            async () =>
                await PictureBoxAsync(page) is var box && box.Y == 0 && box.Height >= 600
                    ? null
                    : $"in full screen the picture is {box.Width} x {box.Height} at {box.Y}",
            TimeSpan.FromSeconds(10)
        );
        await Terminal.RunAsync(Server, page, id, Terminal.Paint(60, 160, 60));

        // The toolbar waits behind the upper edge.
        await page.Mouse.MoveAsync(500, 1);
        await page.GetByTestId("toolbar-fullscreen").ClickAsync();
        await page.WaitForFunctionAsync("() => document.fullscreenElement === null");
    }

    [Fact]
    public async Task RemoteResize_Chosen_GuestTakesThePagesSize()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await page.SetViewportSizeAsync(1100, 700);
        await page.GetByTestId("toolbar-resize").ClickAsync();
        await GuestIsAsync(page, id, 1100, 700 - ToolbarHeight);
        await Eyes.KeepAsync(page, "resized");

        // As it was before, for whoever shares this desktop.
        await page.SetViewportSizeAsync(1280, 720 + ToolbarHeight);
        await GuestIsAsync(page, id, 1280, 720);
        await page.GetByTestId("toolbar-resize").ClickAsync();
    }

    [Fact]
    public async Task Cursor_OverTerminalAndDesktop_IsTheGuestsOwn()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.OpenViewerAsync(id);
        await OverAsync(Pointing.Terminal);
        // The beam over text is slim, unlike the arrow that may still be shown from where the pointer was before.
        var text = await CursorAsync(image => image.StartsWith("slim", StringComparison.Ordinal));
        await OverAsync((1270, 60));
        var arrow = await CursorAsync(image => image != text);
        await OverAsync(Pointing.Terminal);
        Assert.Equal(text, await CursorAsync(image => image != arrow));

        async Task OverAsync((int X, int Y) point)
        {
            var (x, y) = await Pointing.OnPageAsync(page, point);
            await page.Mouse.MoveAsync(x, y);
        }

        // The style names a picture, which the browser draws at the pointer; compared are its pixels.
        async Task<string> CursorAsync(Func<string, bool> wanted)
        {
            var image = "";
            await OrielServer.EventuallyAsync(
                async () =>
                    (image = await page.Locator("oriel-desktop .stage").EvaluateAsync<string>(CursorPixels)).Length > 0 && wanted(image)
                        ? null
                        : $"the cursor is still {image.Split(':')[0]}",
                TimeSpan.FromSeconds(20)
            );
            return image;
        }
    }

    private const string ShareOfImage = """
        (image, [r, g, b]) => {
          if (image.naturalWidth === 0) return 0; // between two pictures: the newer one is not decoded yet
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext('2d');
          context.drawImage(image, 0, 0);
          const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
          let hits = 0;
          for (let i = 0; i < data.length; i += 4) if (Math.abs(data[i] - r) < 30 && Math.abs(data[i + 1] - g) < 30 && Math.abs(data[i + 2] - b) < 30) hits++;
          return hits / (canvas.width * canvas.height);
        }
        """;

    private const string CursorPixels = """
        async stage => {
          const url = /url\("(blob:[^"]+)"/.exec(getComputedStyle(stage).cursor)?.[1];
          if (!url) return '';
          const image = new Image();
          image.src = url;
          try { await image.decode(); } catch { return ''; }
          const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext('2d');
          context.drawImage(image, 0, 0);
          const data = context.getImageData(0, 0, image.width, image.height).data;
          let left = image.width, right = 0, top = image.height, bottom = 0;
          for (let i = 0; i < image.width * image.height; i++) {
            if (data[i * 4 + 3] < 128) continue;
            const x = i % image.width, y = Math.floor(i / image.width);
            [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
          }
          const size = (right - left + 1) + 'x' + (bottom - top + 1);
          return (right - left < 0.6 * (bottom - top) ? 'slim ' : 'broad ') + size + ':' + data.join('').slice(0, 4000);
        }
        """;

    private static async Task<(float Y, float Width, float Height)> PictureBoxAsync(IPage page)
    {
        var box = await page.GetByTestId("video").BoundingBoxAsync();
        return (box!.Y, box.Width, box.Height);
    }

    /// <summary>The guest's own screen, its picture in the page and the API all have this size.</summary>
    private Task GuestIsAsync(IPage page, string id, int width, int height) =>
        OrielServer.EventuallyAsync(
            async () =>
            {
                var (_, screen, _) = await Server.ShellAsync(id, "xprop -root _NET_DESKTOP_GEOMETRY 2>&1");
                var picture = await Eyes.SizeAsync(page);
                var desktop = (await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!;
                var told = (desktop["width"]!.GetValue<int>(), desktop["height"]!.GetValue<int>());
                return
                    screen.Contains($"{width}, {height}", StringComparison.Ordinal)
                    && picture[0] == width
                    && picture[1] == height
                    && told == (width, height)
                    ? null
                    : $"wanted {width} x {height}; the guest's window manager says {screen.Trim()}, the picture is {picture[0]} x {picture[1]}, the API says {told}";
            },
            TimeSpan.FromSeconds(30)
        );

    [GeneratedRegex(@"(?<name>capture|encode|network|decode|display|total) (?<ms>\d+\.\d) ms")]
    private static partial Regex Stage();

    [GeneratedRegex(@"\d+ fps · [\d.]+ Mbit/s · [\d.]+ ms round trip · H264 · UDP")]
    private static partial Regex Rates();
}
