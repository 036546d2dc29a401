using System.Text;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>Desktops that waited, booted: claimed as they are, and as what a running session cannot become.</summary>
public sealed class WarmTests(Ring ring) : RingTests(ring)
{
    [Fact]
    public async Task Claim_PlainThenParticular_IsReadyAndProvenWithTheSessionItNeeds()
    {
        SkipUnlessPrepared();
        await using var server = await OrielServer.StartAsync("--warm", "1");
        await IsWaitingAsync(server);
        Assert.Empty((await server.Api.GetFromJsonAsyncNode("/api/desktops"))!["desktops"]!.AsArray());

        var plain = Ring.IdOf(await server.CreateDesktopAsync(new { }));
        var steps = StepsOf(await server.WaitReadyAsync(plain));
        Assert.Equal("claim", steps[0]);
        Assert.DoesNotContain("guest-start", steps);
        Assert.DoesNotContain("session-end", steps);
        await ProvenAsync(server, plain, "desktop");

        await IsWaitingAsync(server);
        var secret = Encoding.UTF8.GetBytes("carried over the barrier");
        var particular = Ring.IdOf(
            await server.CreateDesktopAsync(
                new
                {
                    name = "Particular",
                    timeZone = "Europe/Paris",
                    keyboardLayout = "de",
                    width = 1024,
                    height = 768,
                    env = new Dictionary<string, string> { ["ORIEL_WARM"] = "seen by all" },
                    files = new[]
                    {
                        new
                        {
                            path = "/home/user/.config/app/secret",
                            content = Convert.ToBase64String(secret),
                            mode = "0600",
                        },
                    },
                }
            )
        );
        steps = StepsOf(await server.WaitReadyAsync(particular));
        Assert.Equal("claim", steps[0]);
        Assert.Contains("session-end", steps);
        await ProvenAsync(server, particular, "particular");
        var (_, seen, _) = await server.ShellAsync(
            particular,
            """
            for pid in $(pgrep -x bash) $(pgrep -x xfce4-panel) $(pgrep -x xfce4-terminal); do
              tr '\0' '\n' < /proc/$pid/environ | grep -c -e '^ORIEL_WARM=seen by all$' -e '^TZ=Europe/Paris$'
            done | sort -u
            pgrep -c -x xfce4-session
            cat /home/user/.config/app/secret
            """
        );
        Assert.Equal("2\n1\ncarried over the barrier", seen);
        Assert.NotEqual(await IdentityAsync(server, plain), await IdentityAsync(server, particular));
    }

    private static List<string> StepsOf(JsonNode desktop) =>
        [.. desktop["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>())];

    private static async Task ProvenAsync(OrielServer server, string id, string hostname)
    {
        var attestation = (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/attestation"))!;
        Assert.Equal((200, hostname), (attestation["canary"]!["status"]!.GetValue<int>(), attestation["hostname"]!.GetValue<string>()));
        Assert.Contains("CLI Terminal", attestation["terminal"]!["title"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    /// <summary>What may be in no two desktops.</summary>
    private static async Task<string> IdentityAsync(OrielServer server, string id) =>
        (await server.Api.GetFromJsonAsyncNode($"/api/desktops/{id}/attestation"))!["machineId"]!.GetValue<string>();

    private static Task IsWaitingAsync(OrielServer server) =>
        OrielServer.EventuallyAsync(
            async () =>
                (await server.Api.GetFromJsonAsyncNode("/api/pool"))!["templates"]![0] is { } pool && pool["waiting"]!.GetValue<int>() == 1
                    ? null
                    : "nothing waits yet",
            TimeSpan.FromSeconds(120)
        );
}
