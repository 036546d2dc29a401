using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>Desktops that go on from a running one; by emulation where this host has no KVM.</summary>
public sealed class VmForkTests(Ring ring) : MachineTests(ring)
{
    private const string Asked = "/home/user/asked.txt",
        AskedText = "asked for by the first one";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(6);

    /// <summary>In memory (a tmpfs and a process) and on the disk.</summary>
    private const string Leave = """
        echo before > /tmp/in-memory
        echo before > ~/on-disk
        sync
        setsid sleep 987654 > /dev/null 2>&1 < /dev/null &
        """;

    private const string State = "cat /tmp/in-memory ~/on-disk; pgrep -c -x -f 'sleep 987654'; date +%s";

    [Fact]
    public async Task Fork_OfARunningDesktopAndOfItsFork_GoOnWithIdentitiesOfTheirOwn()
    {
        SkipUnlessMachinesRun();
        await using var server = await OrielServer.StartAsync("--driver", "qemu", "--max-desktops", "3");
        var source = Ring.IdOf(
            await server.CreateDesktopAsync(
                new { name = "source", files = new[] { new { path = Asked, content = Encoding.UTF8.GetBytes(AskedText) } } }
            )
        );
        Assert.True((await server.WaitReadyAsync(source, Deadline))["canFork"]!.GetValue<bool>());
        Assert.Equal(0, (await server.ShellAsync(source, Leave)).ExitCode);

        var first = await ForkInThePageAsync(server, source);
        string[] all = [source, first, await ForkAsync(server, first, "second")];
        using (var third = await server.Api.PostAsJsonAsync($"/api/desktops/{source}/fork", new { }, Token))
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        }

        // What the first does from now on is its own.
        Assert.Equal(0, (await server.ShellAsync(source, "echo after > /tmp/in-memory; echo after > ~/on-disk")).ExitCode);
        var identities = new List<string[]>();
        foreach (var id in all)
        {
            identities.Add(await LinesAsync(server, id, Identity));
            var state = await LinesAsync(server, id, State);
            var mark = id == source ? "after" : "before";
            Assert.Equal((mark, mark, "1"), (state[0], state[1], state[2]));
            Assert.InRange(
                long.Parse(state[3], CultureInfo.InvariantCulture),
                DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 30,
                DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 30
            );
        }

        await LoseOneEachAsync(server, all[1], all[2], source);
        Assert.All(Enumerable.Range(0, 4), row => Assert.Equal(3, identities.Select(identity => identity[row]).Distinct().Count()));
    }

    /// <summary>
    /// kill -9 of a paused one's machine, of another's keeper, and of the server: two end whole with the reason, and the third is found
    /// again.
    /// </summary>
    private static async Task LoseOneEachAsync(OrielServer server, string paused, string keeperless, string adopted)
    {
        using (var answer = await server.Api.PostAsync($"/api/desktops/{paused}/pause", null, Token))
        {
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
        }

        await Host.KillMachineAsync(server.Data, paused);
        await EndedWholeAsync(server, paused, "guest-killed");
        var machine = Host.MachineOf(server.Data, keeperless);
        var keeper = JsonNode.Parse(await File.ReadAllTextAsync(server.Layout.BundleOf(keeperless).Identity, Token))!;
        using (var process = Process.GetProcessById(keeper["pid"]!.GetValue<int>()))
        {
            process.Kill();
        }

        await EndedWholeAsync(server, keeperless, "keeper-died");
        Assert.False(Host.IsAlive(machine), "the machine has outlived its keeper");
        await server.KillAsync();
        await server.RestartAsync();
        await server.WaitReadyAsync(adopted, Deadline);
        Assert.Equal(["after"], await LinesAsync(server, adopted, "cat /tmp/in-memory"));
    }

    private static Task EndedWholeAsync(OrielServer server, string id, string reason) =>
        OrielServer.EventuallyAsync(
            async () =>
            {
                var told = (await server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{id}", Token))!
                    ["reason"]
                    ?["code"]?.GetValue<string>();
                return told != reason ? $"the reason is {told}"
                    : server.Layout.BundleOf(id).Exists ? "the bundle is still there"
                    : null;
            },
            TimeSpan.FromSeconds(60)
        );

    private static async Task<string> ForkAsync(OrielServer server, string source, string name)
    {
        using var answer = await server.Api.PostAsJsonAsync($"/api/desktops/{source}/fork", new { name }, Token);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var id = Ring.IdOf((await answer.Content.ReadFromJsonAsync<JsonObject>(Token))!);
        Assert.Equal($"/api/desktops/{id}", answer.Headers.Location!.OriginalString);
        await IsProvenAsync(server, id);
        return id;
    }

    /// <summary>As a person does it: a button of the running desktop leads to the other one's picture.</summary>
    private async Task<string> ForkInThePageAsync(OrielServer server, string source)
    {
        var page = await Ring.SignInAsync(
            server,
            new()
            {
                ViewportSize = new() { Width = 1400, Height = 860 },
            }
        );
        await page.GotoAsync($"{server.Address}desktops/{source}");
        await Eyes.IsConnectedAsync(page);
        await Eyes.PlaysAsync(page, seconds: 120);
        await page.GetByTestId("toolbar-fork").ClickAsync();
        await OrielServer.EventuallyAsync(
            () => Task.FromResult(page.Url.EndsWith(source, StringComparison.Ordinal) ? $"the page is still at {page.Url}" : null),
            TimeSpan.FromSeconds(60)
        );
        var id = new Uri(page.Url).Segments[^1];
        await IsProvenAsync(server, id);
        await Eyes.IsConnectedAsync(page);
        await Eyes.PlaysAsync(page, seconds: 120);
        await Eyes.KeepAsync(page, "fork");
        await page.GotoAsync("about:blank");
        return id;
    }

    private static async Task IsProvenAsync(OrielServer server, string id)
    {
        var fork = await server.WaitReadyAsync(id, Deadline);
        Tell("fork", fork);
        var steps = fork["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>()).ToList();
        Assert.Contains("fork", steps);
        Assert.DoesNotContain("kernel", steps);
        Assert.DoesNotContain("session-end", steps);

        // By the same proofs: its file is read afresh from its own disk, and the canary came by its own egress.
        var attestation = (await server.Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{id}/attestation", Token))!;
        Assert.Equal((id, 200), (attestation["desktopId"]!.GetValue<string>(), attestation["canary"]!["status"]!.GetValue<int>()));
        Assert.Equal(
            (Asked, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(AskedText)))),
            (attestation["files"]![0]!["path"]!.GetValue<string>(), attestation["files"]![0]!["sha256"]!.GetValue<string>())
        );
    }

    private static async Task<string[]> LinesAsync(OrielServer server, string id, string script)
    {
        var (code, told, error) = await server.ShellAsync(id, script);
        Assert.True(code == 0, error);
        return told.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
