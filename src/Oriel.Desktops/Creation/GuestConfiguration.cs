using Google.Protobuf;
using Oriel.Agents;
using Oriel.Desktops.Attestation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;

namespace Oriel.Desktops.Creation;

/// <summary>Makes a guest what was asked for.</summary>
internal sealed class GuestConfiguration(
    DesktopSpec spec,
    Expectation expected,
    StepRunner steps,
    DesktopDeadlines deadlines,
    TimeProvider clock
)
{
    /// <exception cref="StepFailedException">The guest refuses it, or says that it holds something else.</exception>
    public async Task ApplyAsync(AgentConnection agent, CancellationToken cancellationToken)
    {
        await steps.RunAsync(
            StepNames.ScreenSize,
            deadlines.Configure,
            (progress, token) => ResizeAsync(agent, progress, token),
            cancellationToken
        );
        await steps.RunAsync(StepNames.Configure, deadlines.Configure, (_, token) => ConfigureAsync(agent, token), cancellationToken);
    }

    /// <summary>Before the session starts, so that its programs lay themselves out once.</summary>
    private async Task ResizeAsync(AgentConnection agent, StepProgress progress, CancellationToken cancellationToken)
    {
        var size = await agent.Display.ResizeAsync(
            new ResizeRequest { Width = (uint)spec.Width, Height = (uint)spec.Height },
            cancellationToken: cancellationToken
        );
        progress.Seen($"{size.Width}x{size.Height}");
        if (size.Width != spec.Width || size.Height != spec.Height)
        {
            throw progress.Fail(
                ReasonCodes.StepFailed,
                $"The screen is {size.Width}x{size.Height}, {spec.Width}x{spec.Height} was asked for."
            );
        }
    }

    private async Task ConfigureAsync(AgentConnection agent, CancellationToken cancellationToken)
    {
        var request = new ConfigureRequest
        {
            Hostname = spec.Hostname,
            TimeZone = spec.TimeZone,
            KeyboardLayout = spec.KeyboardLayout,
            Width = (uint)spec.Width,
            Height = (uint)spec.Height,
            WallClockUs = clock.UnixMicroseconds(),
            Entropy = GuestFreshness.Entropy(),
            StartUrl = spec.StartUrl,
        };
        request.Files.AddRange(
            spec.Files.Select(f => new ConfiguredFile
            {
                Path = f.Path,
                Content = ByteString.CopyFrom(f.Content),
                Mode = f.Mode,
                Owner = f.Owner,
            })
        );
        request.Trust.AddRange(spec.Trust.Select(ByteString.CopyFrom));
        foreach (var (name, value) in spec.Environment)
        {
            request.Env[name] = value;
        }

        var reply = await agent.Guest.ConfigureAsync(request, cancellationToken: cancellationToken);
        FileCheck.Verify(StepNames.Configure, expected.Files, reply.Files);
    }
}
