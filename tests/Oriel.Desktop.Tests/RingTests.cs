using System.Net;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>
/// A class of the ring's tests. Whatever happens in a test, the next one finds no page, no desktop and no half-typed command of it.
/// </summary>
[Collection(RingCollection.Name)]
public abstract class RingTests(Ring ring) : IAsyncDisposable
{
    private protected Ring Ring { get; } = ring;

    private protected OrielServer Server => Ring.Server;

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (Ring.Missing is null)
        {
            await Ring.TidyAsync(failed: TestContext.Current.TestState?.Result == TestResult.Failed);
        }

        GC.SuppressFinalize(this);
    }

    private protected void SkipUnlessPrepared() => Assert.SkipWhen(Ring.Missing is not null, Ring.Missing ?? "");

    private protected async Task<JsonArray> DesktopsAsync() =>
        (await Server.Api.GetFromJsonAsyncNode("/api/desktops"))!["desktops"]!.AsArray();

    /// <summary>Destroys a desktop and waits until the list is without it.</summary>
    private protected async Task DestroyAsync(string id)
    {
        using var deleted = await Server.Api.DeleteAsync($"/api/desktops/{id}", Token);
        Assert.Equal(HttpStatusCode.Accepted, deleted.StatusCode);
        await OrielServer.EventuallyAsync(
            async () => (await DesktopsAsync()).Any(desktop => desktop!["id"]!.GetValue<string>() == id) ? $"{id} is still listed" : null,
            TimeSpan.FromSeconds(60)
        );
    }

    /// <summary>Waits until the server counts so many pages at a desktop.</summary>
    private protected Task ViewersAreAsync(string id, int wanted, int seconds = 15) =>
        OrielServer.EventuallyAsync(
            async () =>
                (await Server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}"))!["viewers"]!.GetValue<int>() is var viewers
                && viewers == wanted
                    ? null
                    : $"the desktop counts {viewers} viewers",
            TimeSpan.FromSeconds(seconds)
        );

    private protected Task GuestFileIsAsync(string id, string path, string wanted) =>
        OrielServer.EventuallyAsync(
            async () =>
            {
                var (_, content, _) = await Server.ShellAsync(id, $"cat {path} 2>/dev/null; true");
                return content == wanted ? null : $"{path} holds \"{content}\", wanted \"{wanted}\"";
            },
            TimeSpan.FromSeconds(30)
        );
}
