using System.Globalization;
using System.Text.Json;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>What is drawn in the guest has the same colours in the viewer, whichever way the picture takes.</summary>
public sealed class ColourTests(Ring ring) : RingTests(ring)
{
    /// <summary>Four a channel: it is below this.</summary>
    private const int Tolerance = 5;

    private static readonly (int R, int G, int B)[] Patches =
    [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (0, 255, 255),
        (0x4e, 0x9a, 0x06),
    ];

    [Theory]
    [InlineData("h264", "auto")]
    [InlineData("vp8", "auto")]
    [InlineData("h264", "websocket")]
    public async Task Picture_SixPatches_HaveTheirColours(string codec, string transport)
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await OpenAsync(id, codec, transport);
        foreach (var (red, green, blue) in Patches)
        {
            await Terminal.RunAsync(Server, page, id, Terminal.Paint(red, green, blue));
            await OrielServer.EventuallyAsync(
                async () =>
                    await Eyes.ShareOfColourAsync(page, red, green, blue, Tolerance) is var share and < 0.02
                        ? $"{codec} by {transport}: {share:P2} of the picture is ({red}, {green}, {blue}); near it is {await Eyes.NearestAsync(page, red, green, blue)}"
                        : null,
                TimeSpan.FromSeconds(30)
            );
        }
    }

    /// <summary>By VP8: Firefox's H.264 is a plug-in that it would download.</summary>
    [Fact]
    public async Task Picture_InFirefox_HasTheColoursOfTheScreen()
    {
        SkipUnlessPrepared();
        var id = await PhotographAsync();
        await using var firefox = await DebianFirefox.StartAsync();
        await firefox.OpenAsync(await Server.NewSignInUrlAsync());
        await IsInFirefoxAsync("signed in", "location.pathname === '/' ? '' : location.pathname");
        await firefox.OpenAsync($"{Server.Address}desktops/{id}");
        // Somebody else types.
        var page = await Ring.OpenViewerAsync(id);
        foreach (var colour in Patches)
        {
            await Terminal.RunAsync(Server, page, id, Terminal.Paint(colour.R, colour.G, colour.B));
            await OrielServer.EventuallyAsync(
                async () =>
                    await firefox.EvaluateAsync(Eyes.ShareOfColour(colour, Tolerance)) is var share
                    && double.TryParse(share, CultureInfo.InvariantCulture, out var part)
                    && part >= 0.02
                        ? null
                        : $"{share} of the picture is {colour}",
                TimeSpan.FromSeconds(30)
            );
        }

        await IsInFirefoxAsync("a photograph", Eyes.DifferenceFromScreen(Tolerance - 1));

        Task IsInFirefoxAsync(string what, string problem) =>
            OrielServer.EventuallyAsync(
                async () => await firefox.EvaluateAsync(problem) is { Length: > 0 } said ? $"{what}: {said}" : null,
                TimeSpan.FromSeconds(60)
            );
    }

    [Fact]
    public async Task Picture_Photograph_HasTheColoursOfTheScreen()
    {
        SkipUnlessPrepared();
        var id = await PhotographAsync();
        foreach (var (codec, transport) in ((string, string)[])[("h264", "auto"), ("vp8", "auto"), ("h264", "websocket")])
        {
            var page = await OpenAsync(id, codec, transport);
            await OrielServer.EventuallyAsync(
                async () =>
                    await page.EvaluateAsync<string>(Eyes.DifferenceFromScreen(Tolerance - 1)) is { Length: > 0 } said
                        ? $"{codec} by {transport}: {said}"
                        : null,
                TimeSpan.FromSeconds(60)
            );
            await Eyes.KeepAsync(page, $"photograph {codec} {transport}");
            await page.CloseAsync();
        }
    }

    private async Task<IPage> OpenAsync(string id, string codec, string transport)
    {
        var page = await Ring.SignInAsync();
        await page.EvaluateAsync(
            "value => localStorage.setItem('oriel.viewer', value)",
            JsonSerializer.Serialize(new { codec, transport })
        );
        await page.GotoAsync($"{Server.Address}desktops/{id}");
        await Eyes.IsConnectedAsync(page);
        return page;
    }

    /// <summary>A desktop of its own, whose browser shows the photograph.</summary>
    private async Task<string> PhotographAsync()
    {
        Ring.Site.Forget();
        var desktop = await Server.CreateDesktopAsync(Ring.NewDesktop("photograph", "photograph"));
        var id = desktop["id"]!.GetValue<string>();
        await Server.WaitReadyAsync(id);
        await Ring.Site.ToldAsync("photograph", _ => true);
        return id;
    }
}
