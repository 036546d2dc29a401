using System.Text.Json;

namespace Oriel.Desktop.Tests;

/// <summary>What is drawn in the guest has the same colours in the viewer, whichever way the picture takes.</summary>
public sealed class ColourTests(Ring ring) : RingTests(ring)
{
    private const int Tolerance = 5;

    [Theory]
    [InlineData("h264", "auto")]
    [InlineData("vp8", "auto")]
    [InlineData("h264", "websocket")]
    public async Task Picture_SixPatches_HaveTheirColours(string codec, string transport)
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.SignInAsync();
        await page.EvaluateAsync(
            "value => localStorage.setItem('oriel.viewer', value)",
            JsonSerializer.Serialize(new { codec, transport })
        );
        await page.GotoAsync($"{Server.Address}desktops/{id}");
        await Eyes.IsConnectedAsync(page);
        foreach (
            var (red, green, blue) in ((int, int, int)[])
                [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (0x4e, 0x9a, 0x06)]
        )
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
}
