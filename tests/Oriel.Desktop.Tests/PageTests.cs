using System.Text.Json;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>The way from Connect to a picture as the page shows it.</summary>
public sealed class PageTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Connect_Pressed_NamesEachRunningStep()
    {
        SkipUnlessPrepared();
        var page = await Ring.SignInAsync();
        await Recorder.StartAsync(
            page,
            "steps",
            """
            one('[data-testid=progress]') ? JSON.stringify({
              Named: text('[data-testid=step-name]')[0], Bar: one('[data-testid=progress]').value, Spoken: one('[data-testid=progress]').ariaValueText ?? one('[data-testid=progress]').getAttribute('aria-valuetext'),
              Running: text('[data-testid=steps] li.running > .mark + span'), Height: one('creation-view').offsetHeight }) : ''
            """
        );
        var created = await page.RunAndWaitForResponseAsync(
            () => page.GetByTestId("connect").First.ClickAsync(),
            response => response.Request.Method == "POST" && new Uri(response.Url).AbsolutePath == "/api/desktops"
        );
        Assert.Equal(201, created.Status);
        var id = JsonDocument.Parse(await created.TextAsync()).RootElement.GetProperty("id").GetString()!;
        Assert.Equal($"/api/desktops/{id}", await created.HeaderValueAsync("location"));
        await Eyes.IsAtAsync(page, $"/desktops/{id}");
        await Eyes.PlaysAsync(page);

        var seen = (await Recorder.SeenAsync(page, "steps"))
            .Where(said => said.Length > 0)
            .Select(said => JsonSerializer.Deserialize<Progress>(said)!)
            .ToArray();
        var named = seen.Where(said => said.Running.Length > 0).ToArray();
        Assert.All(named, said => Assert.Contains(said.Named.TrimEnd('…'), said.Running));
        Assert.All(named, said => Assert.EndsWith(said.Named.TrimEnd('…'), said.Spoken));
        Assert.True(
            named.Select(said => said.Named).Distinct().Count() >= 3,
            "steps named by the page: " + string.Join(", ", seen.Select(said => said.Named).Distinct())
        );
        Assert.Equal(seen.Select(said => said.Bar).Order(), seen.Select(said => said.Bar));
        Assert.Single(seen.Select(said => said.Height).Distinct());
    }

    private sealed record Progress(string Named, double Bar, string Spoken, string[] Running, int Height);
}
