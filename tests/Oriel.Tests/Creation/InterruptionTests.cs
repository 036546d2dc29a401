using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Tests.Server;

namespace Oriel.Tests.Creation;

/// <summary>
/// The server goes away at each step of a creation, or cannot store it: the next one has adopted the desktop, or failed it and says in
/// which step.
/// </summary>
public sealed class InterruptionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// What a server holds of a creation when it goes is what one that is killed leaves: nothing is stored on the way out.
    /// </summary>
    /// <param name="others">What goes on beside the held call is waited for, so that the rest is the call's alone.</param>
    [Theory]
    [InlineData("Hello", "booting", "agent")]
    [InlineData("Resize", "configuring", "screen-size")]
    [InlineData("Configure", "configuring", "configure")]
    [InlineData("Watch", "configuring", "terminal-window", "first-frame", "egress-canary")]
    [InlineData("Video", "configuring", "first-frame", "terminal-window", "browser-window", "egress-canary")]
    [InlineData("WatchSteps", "configuring", "files-verified", "terminal-window", "browser-window", "first-frame")]
    [InlineData("Attest", "configuring", "files-verified", "terminal-window", "browser-window", "first-frame")]
    public async Task Server_GoneInEachCall_TheNextFailsItNamingTheStep(string call, string state, string step, params string[] others)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var fault = CreationFault.At(
            (call, null),
            "held",
            (_, _, context) => CreationFault.HeldAsync(() => Task.Run(reached.TrySetResult), context)
        );
        await using var keepers = new PlayedKeepers();
        keepers.GuestFor = spec => fault.Guest(keepers, spec);
        await GoneAndBackAsync(
            keepers,
            async server =>
            {
                await reached.Task;
                foreach (var other in others)
                {
                    await server.WaitForAsync(
                        server.LastId,
                        "step",
                        e => e["name"]!.GetValue<string>() == other && e["state"]!.GetValue<string>() == "done"
                    );
                }
            },
            async (server, id) =>
            {
                var reason = await FailedAsync(server, id);
                Assert.Equal(
                    ("server-restarted", step, state),
                    (reason["code"]!.GetValue<string>(), reason["step"]!.GetValue<string>(), reason["lastSeen"]!.GetValue<string>())
                );
                Assert.Equal(0, keepers.Running);
            }
        );
    }

    /// <summary>With a keeper that is in one of its own steps, and with one between two of them.</summary>
    [Theory]
    [InlineData("namespaces", "running", "namespaces")]
    [InlineData("scratch", "running", "scratch")]
    [InlineData("scratch", "done", "guest-start")]
    [InlineData("container-start", "running", "container-start")]
    public async Task Server_GoneWhileTheKeeperStarts_TheNextFailsItNamingTheKeepersStep(string step, string state, string named)
    {
        await using var keepers = new PlayedKeepers
        {
            Script = [new KeeperStep(1, step, Enum.Parse<KeeperStepState>(state, ignoreCase: true), 500)],
        };
        await GoneAndBackAsync(
            keepers,
            server => server.WaitForAsync(server.LastId, "step", e => e["name"]!.GetValue<string>() == step),
            async (server, id) =>
            {
                Assert.Equal(named, (await FailedAsync(server, id))["step"]!.GetValue<string>());
                Assert.Equal(0, keepers.Running);
            }
        );
    }

    [Theory]
    [InlineData("ready")]
    [InlineData("paused")]
    public async Task Server_GoneWhileDesktopLives_TheNextAdoptsItWithItsProof(string state)
    {
        await using var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        string proof = "";
        await GoneAndBackAsync(
            keepers,
            async server =>
            {
                await server.WaitForStateAsync(server.LastId, "ready");
                if (state == "paused")
                {
                    using var paused = await server.Api.PostAsync($"/api/desktops/{server.LastId}/pause", null, Token);
                    await server.WaitForStateAsync(server.LastId, state);
                }

                proof = await server.Api.GetStringAsync($"/api/desktops/{server.LastId}/attestation", Token);
            },
            async (server, id) =>
            {
                await Eventually.HoldsAsync(
                    async () => await StateAsync(server, id) is var now && now == state ? null : $"it is {now}",
                    Patience
                );
                Assert.Equal(proof, await server.Api.GetStringAsync($"/api/desktops/{id}/attestation", Token));
                using var gone = await server.Api.DeleteAsync($"/api/desktops/{id}", Token);
                await server.WaitForAsync(id, "end", _ => true);
                Assert.Equal(0, keepers.Running);
            }
        );
    }

    /// <summary>It was proven, its keeper is killed while no server is there.</summary>
    [Theory]
    [InlineData("ready")]
    [InlineData("paused")]
    public async Task KeeperKilled_WhileNoServerIsThere_TheNextFailsTheDesktop(string state)
    {
        await using var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        await GoneAndBackAsync(
            keepers,
            async server =>
            {
                await server.WaitForStateAsync(server.LastId, "ready");
                if (state == "paused")
                {
                    using var paused = await server.Api.PostAsync($"/api/desktops/{server.LastId}/pause", null, Token);
                    await server.WaitForStateAsync(server.LastId, state);
                }
            },
            async (server, id) =>
            {
                Assert.Equal("keeper-died", (await server.WaitForStateAsync(id, "failed"))["reason"]!["code"]!.GetValue<string>());
                await server.WaitForAsync(id, "end", _ => true);
            },
            between: keepers.DieAsync
        );
    }

    /// <summary>
    /// Whichever of its changes cannot be stored, the desktop does not hang: it fails, and the server makes the next one.
    /// </summary>
    [Theory]
    [InlineData("INSERT", "creating")]
    [InlineData("UPDATE", "booting")]
    [InlineData("UPDATE", "configuring")]
    public async Task Store_ThatTakesAChangeNoMore_FailsTheDesktopAndTheServerGoesOn(string change, string state)
    {
        await using var keepers = new PlayedKeepers { Guest = () => new PlayedGuest() };
        await using var server = await TestServer.StartAsync(keepers: keepers);
        Execute(
            server,
            $"CREATE TRIGGER refuse BEFORE {change} ON Desktops WHEN NEW.State = '{state}' BEGIN SELECT RAISE(ABORT, 'as told'); END"
        );
        var id = (await server.CreateAsync(Plan.Request))["id"]!.GetValue<string>();
        var reason = await FailedAsync(server, id);
        Assert.Equal("internal", reason["code"]!.GetValue<string>());
        Assert.Contains("as told", reason["message"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(0, keepers.Running);
        Assert.Empty(Directory.EnumerateFileSystemEntries(server.Layout.Desktops));

        Execute(server, "DROP TRIGGER refuse");
        await server.WaitForStateAsync((await server.CreateAsync(Plan.Request))["id"]!.GetValue<string>(), "ready");
    }

    private static CreationPlan Plan { get; } = CreationPlan.Of(0, CreationFault.None, new Random(1));

    private static async Task<string> StateAsync(TestServer server, string id) =>
        (await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}", Token))!["state"]!.GetValue<string>();

    private static async Task<JsonNode> FailedAsync(TestServer server, string id)
    {
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;
        await server.WaitForAsync(id, "end", _ => true);
        using var attestation = await server.Api.GetAsync($"/api/desktops/{id}/attestation", Token);
        Assert.False(attestation.IsSuccessStatusCode);
        ProvenOrFailed.Check(["failed"], null, reason, Plan.Files, id);
        Assert.False(server.Layout.BundleOf(id).Exists);
        return reason;
    }

    private static async Task GoneAndBackAsync(
        PlayedKeepers keepers,
        Func<TestServer, Task> until,
        Func<TestServer, string, Task> then,
        Func<string, Task>? between = null
    )
    {
        var data = Directory.CreateTempSubdirectory("oriel-gone-").FullName;
        try
        {
            string id;
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                id = (await server.CreateAsync(Plan.Request))["id"]!.GetValue<string>();
                await until(server).WaitAsync(Patience, Token);
            }

            Assert.Equal(1, keepers.Running);
            await (between?.Invoke(id) ?? Task.CompletedTask);
            await using (var server = await TestServer.StartAsync(data, keepers))
            {
                await then(server, id);
                Assert.Empty(Directory.EnumerateFileSystemEntries(new DataLayout(data).Desktops));
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    private static void Execute(TestServer server, string sql)
    {
        using var database = new SqliteConnection($"Data Source={server.Layout.Database};Pooling=False");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
