using Oriel.Desktops.Agents;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Store;
using Oriel.Desktops.Templates;
using Oriel.Egress.Policy;
using Oriel.Images;
using Oriel.Protocol;

namespace Oriel.Desktops.Pool;

/// <summary>A desktop on its way to the barrier, or waiting there for the one claim that makes it somebody's.</summary>
internal sealed class WarmDesktop
{
    /// <summary>What a request that names neither has, so that its session can stay as it is.</summary>
    private const string Name = "desktop", TimeZone = "UTC", Layout = "us";

    private readonly TaskCompletionSource _waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DesktopSpec> _claimed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeProvider _clock;
    private readonly DateTimeOffset _since;

    /// <param name="origin">The snapshot that it goes on from, or that is to be made of it; null = a plain boot.</param>
    public WarmDesktop(DesktopTemplate template, ImageManifest image, DesktopContext context, WarmOrigin? origin = null)
    {
        (Template, _clock, _since) = (template, context.Clock, context.Clock.GetUtcNow());
        var spec = new DesktopSpec
        {
            Template = template.Name,
            Name = Name,
            Image = template.Image,
            Width = template.Width,
            Height = template.Height,
            Hostname = Name,
            TimeZone = TimeZone,
            KeyboardLayout = Layout,
            Egress = EgressPolicy.None,
            Limits = template.Limits,
        };
        var snapshot = DesktopSnapshot.New(spec, image.Name, image.Digest, context.Options.Driver.Name, _since);
        Desktop = new Desktop(context, new StoredDesktop(snapshot, spec.Egress, null, 0), [], unclaimed: true);
        Desktop.Start(async (desktop, token) =>
        {
            await new DesktopCreation(spec, image, context).RunWarmAsync(desktop, () => _waits.TrySetResult(), _claimed.Task, origin, token);
            await GuestWatch.FollowAsync(desktop, context.Options.Deadlines.Adopt, context.Clock, static _ => { }, token);
        });
    }

    public DesktopTemplate Template { get; }

    public Desktop Desktop { get; }

    /// <summary>Waits until it is at the barrier.</summary>
    /// <returns>Why it never will be; null when it is.</returns>
    public async Task<string?> WaitsAsync(CancellationToken cancellationToken)
    {
        await ((Task)Task.WhenAny(_waits.Task, Desktop.Destroyed).WaitAsync(cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _waits.Task.IsCompleted ? null : Desktop.Snapshot.Reason?.Message ?? "The server stops.";
    }

    /// <summary>Makes it what was asked for; its work goes on from the barrier to ready.</summary>
    /// <returns>False when it has ended meanwhile.</returns>
    public async Task<bool> ClaimAsync(DesktopSpec spec)
    {
        var now = _clock.GetUtcNow();
        var claim = new StepSnapshot("claim", StepState.Done, now, 0, $"waited {(now - _since).TotalSeconds:0} s since it began to start");
        var claimed = await Desktop.ClaimAsync(
            was => DesktopSnapshot.New(spec, was.ImageName, was.ImageDigest, was.Driver, now) with { Id = was.Id, State = was.State, Steps = [claim] },
            spec.Egress);
        if (claimed)
        {
            _claimed.TrySetResult(spec);
        }

        return claimed;
    }
}
