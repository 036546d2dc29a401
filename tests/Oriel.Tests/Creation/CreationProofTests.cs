using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Node;
using Oriel.Protocol.Layout;
using Oriel.Tests.Server;

namespace Oriel.Tests.Creation;

/// <summary>
/// The earlier system said that its files were there, and they were not. Here: whatever goes wrong on the guest's side while a desktop is
/// created, it is ready with every file proven, or it failed and names the step.
/// </summary>
public sealed class CreationProofTests
{
    private const int Creates = 1000;
    private const int Faultless = 450;
    private const int AtOnce = 8;
    private const int Seed = 20261123;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private static readonly DesktopDeadlines Told = new()
    {
        Keeper = TimeSpan.FromSeconds(601),
        Agent = TimeSpan.FromSeconds(602),
        Configure = TimeSpan.FromSeconds(603),
        Attest = TimeSpan.FromSeconds(604),
        TerminalWindow = TimeSpan.FromSeconds(605),
        BrowserWindow = TimeSpan.FromSeconds(606),
        FirstFrame = TimeSpan.FromSeconds(607),
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_AThousandWithFaultsOfEveryKind_NoneIsUnproven()
    {
        var plans = Plans();
        var outcomes = new ConcurrentDictionary<string, int>();
        await using var keepers = new PlayedKeepers();
        await using var server = await StartAsync(keepers, spec => plans[spec.Hostname].Fault.Guest(keepers, spec), AtOnce);
        await Parallel.ForEachAsync(
            plans.Values,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Token },
            async (plan, _) =>
            {
                var isReady = await CreateAsync(server, plan);
                outcomes.AddOrUpdate($"{plan.Fault}: {(isReady ? "ready" : "failed")}", 1, (_, count) => count + 1);
            }
        );

        Assert.Equal(Faultless, outcomes[$"{CreationFault.None}: ready"]);
        Assert.Equal(1 + CreationFault.All.Count, outcomes.Count);
        Assert.Equal(0, keepers.Running);
        Assert.Empty(Directory.EnumerateFileSystemEntries(server.Layout.Desktops));
        Assert.True(server.Log.Text.Length == 0, server.Log.Text);
        TestContext.Current.SendDiagnosticMessage(
            "{0}",
            string.Join("; ", outcomes.OrderBy(outcome => outcome.Key).Select(outcome => $"{outcome.Key} {outcome.Value}"))
        );
    }

    /// <summary>Never answered, and the deadline of that step passes.</summary>
    [Theory]
    [InlineData("Hello", "agent")]
    [InlineData("Resize", "screen-size")]
    [InlineData("WatchSteps", "files-verified")]
    [InlineData("Configure", "configure")]
    [InlineData("Watch", "terminal-window")]
    [InlineData("Video", "first-frame")]
    [InlineData("Attest", "files-verified")]
    public async Task Create_GuestThatHangsInACall_FailsAtTheStepsDeadline(string call, string step)
    {
        var clock = new PressedClock();
        var deadline = DeadlineOf(step);
        var fault = CreationFault.At(
            (call, step),
            "held",
            (_, _, context) => CreationFault.HeldAsync(() => Task.Run(() => clock.Pass(deadline)), context),
            "step-deadline"
        );
        await CreateAsync(fault, clock);
    }

    /// <summary>Its keeper lives, but nothing answers behind it any more.</summary>
    [Theory]
    [InlineData("Hello")]
    [InlineData("Resize")]
    [InlineData("WatchSteps")]
    [InlineData("Configure")]
    [InlineData("Watch")]
    [InlineData("Video")]
    [InlineData("Attest")]
    public async Task Create_AgentThatVanishesInACall_FailsNamingTheStep(string call)
    {
        var clock = new PressedClock();
        var fault = new CreationFault(
            $"{call} vanished",
            null,
            null,
            (_, _) =>
            {
                PlayedGuest? guest = null;
                return guest = new PlayedGuest
                {
                    Calling = (name, context) =>
                        name != call
                            ? Task.CompletedTask
                            : CreationFault.HeldAsync(
                                async () =>
                                {
                                    await guest!.DisposeAsync();
                                    clock.Pass(Told.Agent);
                                },
                                context
                            ),
                };
            }
        );
        await CreateAsync(fault, clock);
    }

    private static async Task CreateAsync(CreationFault fault, PressedClock clock)
    {
        await using var keepers = new PlayedKeepers();
        await using var server = await StartAsync(keepers, spec => fault.Guest(keepers, spec), 1, clock);
        Assert.False(await CreateAsync(server, CreationPlan.Of(0, fault, new Random(Seed))));

        // And the server goes on.
        clock.Rest();
        keepers.GuestFor = _ => new PlayedGuest();
        Assert.True(await CreateAsync(server, CreationPlan.Of(1, CreationFault.None, new Random(Seed))));
    }

    private static TimeSpan DeadlineOf(string step) =>
        step switch
        {
            "agent" => Told.Agent,
            "screen-size" or "configure" => Told.Configure,
            "terminal-window" => Told.TerminalWindow,
            "first-frame" => Told.FirstFrame,
            _ => Told.Attest,
        };

    /// <summary>Every fault about as often as the others, in an order that is the same for each run.</summary>
    private static Dictionary<string, CreationPlan> Plans()
    {
        var random = new Random(Seed);
        var faults = Enumerable
            .Range(0, Creates)
            .Select(i => i < Faultless ? CreationFault.None : CreationFault.All[i % CreationFault.All.Count])
            .ToArray();
        random.Shuffle(faults);
        return faults.Select((fault, number) => CreationPlan.Of(number, fault, random)).ToDictionary(plan => plan.Hostname);
    }

    private static Task<TestServer> StartAsync(
        PlayedKeepers keepers,
        Func<Oriel.Protocol.Keeper.KeeperSpec, PlayedGuest> guest,
        int atOnce,
        TimeProvider? clock = null
    )
    {
        keepers.GuestFor = guest;
        return TestServer.StartAsync(keepers: keepers, maxDesktops: atOnce, deadlines: Told, logged: LogLevel.Error, clock: clock);
    }

    /// <returns>Whether it became ready.</returns>
    private static async Task<bool> CreateAsync(TestServer server, CreationPlan plan)
    {
        var id = (await server.CreateAsync(plan.Request))["id"]!.GetValue<string>();
        var states = new List<string>();
        JsonNode? reason = null,
            attestation = null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);
        try
        {
            await foreach (var (_, kind, data) in server.EventsAsync(id, null, limit.Token))
            {
                if (kind != "state")
                {
                    continue;
                }

                var state = JsonNode.Parse(data)!;
                states.Add(state["state"]!.GetValue<string>());
                reason = states[^1] == "failed" ? state["reason"] : reason;
                if (states[^1] == "ready")
                {
                    attestation = await server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}/attestation", limit.Token);
                    using var gone = await server.Api.DeleteAsync($"/api/desktops/{id}", limit.Token);
                }
            }
        }
        catch (OperationCanceledException) when (!Token.IsCancellationRequested)
        {
            Assert.Fail(
                $"{plan.Fault}: {string.Join(" ", states)}, and no end: {await server.Api.GetStringAsync($"/api/desktops/{id}", Token)}\n{server.Log.Text}"
            );
        }

        Assert.Equal("destroyed", states[^1]);
        var isReady = ProvenOrFailed.Check(states, attestation, reason, plan.Files, plan.Fault.Name);
        Assert.True(isReady == (plan.Fault == CreationFault.None), $"{plan.Fault}: {string.Join(" ", states)}; {reason?.ToJsonString()}");
        Assert.True(
            plan.Fault.Code is null || plan.Fault.Code == reason!["code"]!.GetValue<string>(),
            $"{plan.Fault}: {reason?.ToJsonString()}"
        );
        Assert.True(
            plan.Fault.Step is null || plan.Fault.Step == reason!["step"]!.GetValue<string>(),
            $"{plan.Fault}: {reason?.ToJsonString()}"
        );
        return isReady;
    }
}
