using System.Text;
using Google.Protobuf;
using Oriel.Protocol.Guest;
using Oriel.Tests.Server;

namespace Oriel.Tests.Fuzz;

/// <summary>
/// The guest's root may put another in the agent's place while the desktop starts: whatever it says then, the desktop becomes ready or
/// fails with a reason, and the server has no fault of its own.
/// </summary>
public sealed class GuestFuzzTests
{
    private const int Batch = 10;
    private static readonly JsonParser Lenient = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    [Fact]
    public async Task GuestStep_Mutated_LeavesTheDesktopReadyOrFailedWithAReason()
    {
        var steps = new List<GuestStep>();
        PlayedGuest? guest = null;
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => guest! },
            logged: Microsoft.Extensions.Logging.LogLevel.Error,
            ownsData: true
        );
        await Fuzzer.RunAsync(
            "guest-step",
            async input =>
            {
                if (Read<GuestStep>(input) is { } step)
                {
                    // One that failed ends the start: the others of a batch are to be looked at, too.
                    step.State = step.State == StepState.Failed && steps.Count < Batch - 1 ? StepState.Done : step.State;
                    steps.Add(step);
                }

                if (steps.Count >= Batch)
                {
                    guest = new PlayedGuest { FirstSteps = [.. steps] };
                    await StartAsync(server);
                    steps.Clear();
                }
            },
            iterations: 120,
            form: FuzzForm.Json
        );
        Assert.True(server.Log.Text.Length == 0, server.Log.Text);
    }

    [Fact]
    public async Task AttestReply_Mutated_LeavesTheDesktopReadyOrFailedWithAReason()
    {
        AttestReply? said = null;
        var keepers = new PlayedKeepers { Guest = () => new PlayedGuest { Attesting = reply => reply.MergeFrom(said) } };
        await using var server = await TestServer.StartAsync(
            keepers: keepers,
            logged: Microsoft.Extensions.Logging.LogLevel.Error,
            ownsData: true
        );
        await Fuzzer.RunAsync(
            "attest-reply",
            async input =>
            {
                if (Read<AttestReply>(input) is { } reply)
                {
                    said = reply;
                    await StartAsync(server);
                }
            },
            iterations: 12,
            form: FuzzForm.Json
        );
        Assert.True(server.Log.Text.Length == 0, server.Log.Text);
    }

    [Fact]
    public async Task GuestSteps_WithoutEnd_FailTheDesktop()
    {
        var flood = Enumerable.Range(0, 2000).Select(i => new GuestStep { Name = $"step-{i}", State = StepState.Done }).ToArray();
        await using var server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => new PlayedGuest { FirstSteps = flood } },
            ownsData: true
        );
        var id = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        var reason = (await server.WaitForStateAsync(id, "failed"))["reason"]!;
        Assert.Equal("step-failed", reason["code"]!.GetValue<string>());
        Assert.Contains("more steps", reason["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    private static async Task StartAsync(TestServer server)
    {
        var id = (await server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await server.WaitForAsync(id, "state", e => e["state"]!.GetValue<string>() is "ready" or "failed");
        using var gone = await server.Api.DeleteAsync($"/api/desktops/{id}", TestContext.Current.CancellationToken);
        await server.WaitForAsync(id, "end", _ => true);
    }

    /// <summary>From the readable form of the seeds, else from the wire's.</summary>
    private static T? Read<T>(byte[] input)
        where T : class, IMessage<T>, new()
    {
        try
        {
            return input is [(byte)'{', ..]
                ? Lenient.Parse<T>(Encoding.UTF8.GetString(input))
                : new MessageParser<T>(() => new T()).ParseFrom(input);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException || input is [(byte)'{', ..])
        {
            return null;
        }
    }
}
