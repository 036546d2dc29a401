using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>Looks at the decoded video of a page, as a person would: colours on it, whether it moves, its size.</summary>
internal static class Eyes
{
    private const string FindVideo = """
        const find = root => {
          for (const node of root.querySelectorAll('*')) {
            if (node instanceof HTMLVideoElement || (node instanceof HTMLCanvasElement && node.dataset.testid === 'canvas')) { if (!node.hidden) return node; }
            if (node.shadowRoot) { const inner = find(node.shadowRoot); if (inner) return inner; }
          }
          return null;
        };
        const video = find(document);
        const width = video ? (video.videoWidth ?? video.width) : 0, height = video ? (video.videoHeight ?? video.height) : 0;
        """;

    private const string ShareOf = """
        const shareOf = (picture, width, height, r, g, b, t) => {
          const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d');
          context.drawImage(picture, 0, 0);
          const data = context.getImageData(0, 0, width, height).data;
          let hits = 0;
          for (let i = 0; i < data.length; i += 4)
            if (Math.abs(data[i] - r) < t && Math.abs(data[i + 1] - g) < t && Math.abs(data[i + 2] - b) < t) hits++;
          return hits / (width * height);
        };
        """;

    /// <summary>
    /// A script for any browser: "" where each block of 16 by 16 pixels is no further than so much from the guest's own screen. One in two
    /// hundred may be: where saturated colours meet, half as many chroma samples as pixels cannot tell which is whose.
    /// </summary>
    public static string DifferenceFromScreen(int tolerance) =>
        "(async () => {"
        + FindVideo
        + $$"""
            if (!width) return 'there is no picture';
            const answer = await fetch('/api' + location.pathname + '/screenshot', { headers: { 'X-Oriel': localStorage.getItem('oriel.session') } });
            if (!answer.ok) return 'no screenshot: ' + answer.status;
            const shot = await createImageBitmap(await answer.blob());
            if (shot.width !== width || shot.height !== height) return `${width}x${height} is seen of ${shot.width}x${shot.height}`;
            const [seen, own] = [video, shot].map((picture) => {
              const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d');
              context.drawImage(picture, 0, 0);
              return context.getImageData(0, 0, width, height).data;
            });
            const mean = (data, left, top, channel) => {
              let sum = 0, count = 0;
              for (let y = top; y < Math.min(top + 16, height); y++)
                for (let x = left; x < Math.min(left + 16, width); x++, count++) sum += data[4 * (y * width + x) + channel];
              return sum / count;
            };
            let worst = 0, where = '', over = 0;
            for (let top = 0; top < height; top += 16)
              for (let left = 0; left < width; left += 16)
                for (let channel = 0; channel < 3; channel++) {
                  const difference = Math.abs(mean(seen, left, top, channel) - mean(own, left, top, channel));
                  if (difference > {{tolerance}}) over++;
                  if (difference > worst) [worst, where] = [difference, `${'RGB'[channel]} at ${left},${top}: ${mean(seen, left, top, channel).toFixed(1)} of ${mean(own, left, top, channel).toFixed(1)}`];
                }
            return over <= 3 * width * height / 256 / 200 && worst <= 3 * {{tolerance}} ? '' : `${over} values are further off; the worst is ${where}`;
            })()
            """;

    /// <summary>A script for any browser: the share of the picture within the tolerance of a colour, as a text.</summary>
    public static string ShareOfColour((int R, int G, int B) colour, int tolerance) =>
        string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"(() => {{{FindVideo}{ShareOf}return String(width ? shareOf(video, width, height, {colour.R}, {colour.G}, {colour.B}, {tolerance}) : 0); }})()"
        );

    /// <summary>Share (0 to 1) of the picture whose colour is within the tolerance of the given one.</summary>
    public static Task<double> ShareOfColourAsync(IPage page, int red, int green, int blue, int tolerance = 40) =>
        page.EvaluateAsync<double>(
            "([r, g, b, t]) => {" + FindVideo + ShareOf + "return width ? shareOf(video, width, height, r, g, b, t) : 0; }",
            new[] { red, green, blue, tolerance }
        );

    /// <summary>The most frequent colours of the picture near the given one: what a patch became.</summary>
    public static Task<string> NearestAsync(IPage page, int red, int green, int blue) =>
        page.EvaluateAsync<string>(
            "([r, g, b]) => {"
                + FindVideo
                + """
                  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d');
                  context.drawImage(video, 0, 0);
                  const data = context.getImageData(0, 0, width, height).data, counts = new Map();
                  for (let i = 0; i < data.length; i += 4) {
                    if (Math.max(Math.abs(data[i] - r), Math.abs(data[i + 1] - g), Math.abs(data[i + 2] - b)) > 64) continue;
                    const key = `(${data[i]}, ${data[i + 1]}, ${data[i + 2]})`;
                    counts.set(key, (counts.get(key) ?? 0) + 1);
                  }
                  return [...counts].sort((one, other) => other[1] - one[1]).slice(0, 3).map(([key, count]) => `${key} ${count} times`).join(', ');
                }
                """,
            new[] { red, green, blue }
        );

    /// <summary>
    /// The same of what the guest's own screen shows, which tells a picture that was not drawn from one that did not arrive.
    /// </summary>
    private static Task<double> ShareOnScreenAsync(IPage page, (int R, int G, int B) colour) =>
        page.EvaluateAsync<double>(
            "async ([r, g, b]) => {"
                + ShareOf
                + """
                  const answer = await fetch('/api' + location.pathname + '/screenshot', { headers: { 'X-Oriel': localStorage.getItem('oriel.session') } });
                  if (!answer.ok) return -1;
                  const picture = await createImageBitmap(await answer.blob());
                  return shareOf(picture, picture.width, picture.height, r, g, b, 40);
                }
                """,
            new[] { colour.R, colour.G, colour.B }
        );

    public static Task<int[]> SizeAsync(IPage page) => page.EvaluateAsync<int[]>("() => {" + FindVideo + "return [width, height]; }");

    /// <summary>Frames decoded so far.</summary>
    public static Task<long> FramesAsync(IPage page) =>
        page.EvaluateAsync<long>("() => {" + FindVideo + "return video?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0; }");

    /// <summary>Waits until frames are decoded.</summary>
    public static Task PlaysAsync(IPage page, int seconds = 60) => AdvancesAsync(page, 0, "the first picture", seconds);

    /// <summary>
    /// Waits until the page's path begins so. Playwright's own wait misses a page that gets there while it begins to listen.
    /// </summary>
    public static Task IsAtAsync(IPage page, string path, int seconds = 60) =>
        OrielServer.EventuallyAsync(
            () =>
                Task.FromResult(
                    new Uri(page.Url).AbsolutePath.StartsWith(path, StringComparison.Ordinal)
                        ? null
                        : $"the page is at {page.Url}, not at {path}"
                ),
            TimeSpan.FromSeconds(seconds)
        );

    /// <summary>Waits until the page says that it is connected: from then on what a person does arrives.</summary>
    public static Task IsConnectedAsync(IPage page, int seconds = 60) =>
        OrielServer.EventuallyAsync(
            async () =>
            {
                var state = await page.GetByTestId("state-chip").First.GetAttributeAsync("data-state");
                return state == "connected" ? null : $"the page says {state}";
            },
            TimeSpan.FromSeconds(seconds)
        );

    /// <summary>Waits until more frames than the given number are decoded.</summary>
    public static Task AdvancesAsync(IPage page, long beyond, string what, int seconds = 60) =>
        OrielServer.EventuallyAsync(
            async () =>
            {
                var frames = await FramesAsync(page);
                return frames > beyond && (await SizeAsync(page))[0] > 0 ? null : $"{what}: {frames} frames decoded, not beyond {beyond}";
            },
            TimeSpan.FromSeconds(seconds)
        );

    /// <summary>Waits until enough of the picture has the colour; the deadline says how much it had, and keeps a screenshot.</summary>
    public static async Task SeesAsync(IPage page, (int R, int G, int B) colour, double share, string what, int seconds = 60)
    {
        var best = 0.0;
        try
        {
            await OrielServer.EventuallyAsync(
                async () =>
                {
                    best = Math.Max(best, await ShareOfColourAsync(page, colour.R, colour.G, colour.B));
                    return best >= share ? null : $"{what}: {best:P2} of the picture has the colour {colour}, wanted {share:P2}";
                },
                TimeSpan.FromSeconds(seconds)
            );
        }
        catch (Xunit.Sdk.XunitException e)
        {
            TestContext.Current.SendDiagnosticMessage("Picture kept: " + await KeepAsync(page, what));
            throw new Xunit.Sdk.XunitException(
                $"{e.Message}; the guest's own screen has {await ShareOnScreenAsync(page, colour):P2} of it; {await FramesAsync(page)} frames were decoded"
            );
        }
    }

    /// <summary>Keeps a screenshot for whoever reads the failure, in the folder that ORIEL_TEST_OUTPUT names.</summary>
    public static async Task<string> KeepAsync(IPage page, string name)
    {
        var path = OutputPath(string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')) + ".png");
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = path });
        return path;
    }

    public static Task KeepTextAsync(string name, string text) => File.WriteAllTextAsync(OutputPath(name), text);

    private static string OutputPath(string name)
    {
        var folder = Environment.GetEnvironmentVariable("ORIEL_TEST_OUTPUT") ?? Path.Combine(Path.GetTempPath(), "oriel-test-output");
        Directory.CreateDirectory(folder);
        return Path.Combine(folder, name);
    }
}
