using System.Diagnostics;
using Microsoft.Playwright;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>
/// What a person can run into, really brought about: the page says the reason and the next step, and the next step works.
/// </summary>
public sealed class ErrorStateTests(Ring ring) : RingTests(ring)
{
    private static BrowserNewContextOptions Window =>
        new()
        {
            ViewportSize = new ViewportSize { Width = 1200, Height = 800 },
        };

    [Fact]
    public async Task TooManyDesktopsThenGuestDied_AreToldAndRoomIsUsed()
    {
        SkipUnlessPrepared();
        await using var server = await OrielServer.StartAsync("--max-desktops", "1");
        var viewer = await Ring.SignInAsync(server, Window);
        await viewer.GetByTestId("connect").First.ClickAsync();
        await Eyes.PlaysAsync(viewer, seconds: 120);
        var id = new Uri(viewer.Url).Segments[^1];

        var list = await viewer.Context.NewPageAsync();
        await list.GotoAsync(server.Address.ToString());
        await list.GetByTestId("isolation-banner").GetByText("No usable KVM").WaitForAsync();
        await list.GetByTestId("connect").First.ClickAsync();
        await ErrorStates.ShowsAsync(list, "too-many-desktops", "Destroy one", "next-retry");
        await Eyes.KeepAsync(list, "error too many desktops");

        // The guest's first process is killed by its pid, as the kernel's OOM killer or a person would.
        using (var guest = Process.GetProcessById(Host.GuestOf(server.Data, id)))
        {
            guest.Kill();
        }

        await ErrorStates.ShowsAsync(viewer, "guest-killed", "The desktop was killed", "next-new");
        await viewer.GetByTestId("next-log").ClickAsync();
        await OrielServer.EventuallyAsync(
            async () =>
                await viewer.GetByTestId("log-panel").InnerTextAsync() is var log && log.Contains("session", StringComparison.Ordinal)
                    ? null
                    : $"the log says: {log}",
            TimeSpan.FromSeconds(20)
        );
        await Eyes.KeepAsync(viewer, "error guest died");

        await OrielServer.EventuallyAsync(
            async () =>
                (await server.Api.GetFromJsonAsyncNode("/api/desktops"))!["desktops"]!.AsArray() is { Count: > 0 } left
                    ? $"still there: {left}"
                    : null,
            TimeSpan.FromSeconds(60)
        );
        await list.BringToFrontAsync();
        await list.GetByTestId("next-retry").ClickAsync();
        await Eyes.IsAtAsync(list, "/desktops/d-");
    }

    [Fact]
    public async Task ImageMissing_ConnectPressed_NamesTheCommandThatBuildsOne()
    {
        SkipUnlessPrepared();
        var empty = Directory.CreateTempSubdirectory("oriel-no-images-").FullName;
        await using var server = await OrielServer.StartAsync("--images", empty);
        var page = await Ring.SignInAsync(server, Window);
        await page.GetByTestId("connect").First.ClickAsync();
        await ErrorStates.ShowsAsync(page, "image-missing", "./oriel image build images/desktop", "next-retry");
        await Eyes.KeepAsync(page, "error image missing");

        // The form of a desktop with settings says the same.
        await page.GotoAsync($"{server.Address}new");
        await page.GetByTestId("create").ClickAsync();
        await ErrorStates.ShowsAsync(page, "image-missing", "./oriel image build images/desktop", "next-list");
        Directory.Delete(empty, recursive: true);
    }

    [Fact]
    public async Task MachineDemanded_OnlyContainersHere_IsRefusedAndSaysWhatToDo()
    {
        SkipUnlessPrepared();
        await using var server = await OrielServer.StartAsync("--driver", "container");
        await server.StopAsync();
        await File.WriteAllTextAsync(server.Layout.Templates, """[{ "name": "default", "isolation": "vm" }]""", Token);
        await server.RestartAsync();
        var page = await Ring.SignInAsync(server, Window);
        await page.GetByTestId("connect").First.ClickAsync();
        await ErrorStates.ShowsAsync(page, "isolation-unavailable", "refused rather than run with less isolation", "next-retry");
        await Eyes.KeepAsync(page, "error isolation unavailable");
    }

    [Fact]
    public async Task SignedOut_OpenPage_SaysSoAndSigningInLeadsBack()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        var page = await Ring.SignInAsync();
        await page.GetByTestId("desktop-card").First.WaitForAsync();
        await page.Context.ClearCookiesAsync();
        await ErrorStates.ShowsAsync(page, "signed-out", "Your desktops go on living", "next-signin");
        await Eyes.KeepAsync(page, "error signed out");

        // An address that is opened anew leads to the sign-in page, and that back to the address.
        await page.GetByTestId("next-signin").ClickAsync();
        await page.GetByTestId("token").WaitForAsync();
        await page.GotoAsync($"{Server.Address}desktops/{id}");
        await page.GetByTestId("token").FillAsync("wrong");
        await page.GetByTestId("sign-in").ClickAsync();
        await page.GetByTestId("error-reason").GetByText("not valid").WaitForAsync();
        await Eyes.KeepAsync(page, "error bad token");
        await page.GetByTestId("token").FillAsync(await Server.TokenAsync());
        await page.GetByTestId("sign-in").ClickAsync();
        await Eyes.IsAtAsync(page, $"/desktops/{id}");
        await Eyes.PlaysAsync(page);
    }

    [Fact]
    public async Task Session_RevokedOnAnotherPage_EndsWhatItShows()
    {
        SkipUnlessPrepared();
        var shown = await Ring.OpenViewerAsync(await Ring.SharedDesktopAsync());
        var session = await shown.EvaluateAsync<string>(
            """
            async () => {
              const answer = await fetch('/api/sessions', { headers: { 'X-Oriel': localStorage.getItem('oriel.session') } });
              return (await answer.json()).sessions.find(({ current }) => current).id;
            }
            """
        );
        var page = await Ring.SignInAsync();
        await page.GetByTestId("signed-in").ClickAsync();
        var row = page.Locator($"[data-id={session}]");
        await row.GetByTestId("revoke").ClickAsync();

        await ErrorStates.ShowsAsync(shown, "signed-out", "Your desktops go on living", "next-signin");
        await row.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.GetByTestId("this-session").WaitForAsync();
    }

    [Fact]
    public async Task DesktopThatIsNotThere_Opened_SaysSo()
    {
        SkipUnlessPrepared();
        var page = await Ring.SignInAsync();
        await page.GotoAsync($"{Server.Address}desktops/d-aaaaaaaaaa");
        await ErrorStates.ShowsAsync(page, "no-such-desktop", "There is no such desktop", "next-list");
        await Eyes.KeepAsync(page, "error no such desktop");
        await page.GetByTestId("next-list").ClickAsync();
        await page.GetByTestId("connect").First.WaitForAsync();
    }
}
