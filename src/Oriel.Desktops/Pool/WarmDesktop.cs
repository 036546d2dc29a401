using Oriel.Desktops.Creation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Store;
using Oriel.Desktops.Templates;
using Oriel.Egress.Policy;
using Oriel.Images.Store;
using Oriel.Protocol;

namespace Oriel.Desktops.Pool;

/// <summary>What warm desktops are made with.</summary>
internal sealed record WarmParts(DesktopContext Desktops, CreationContext Creation, GoldenSnapshots Snapshots);

/// <summary>A desktop that boots to the barrier, or waits there for the one claim.</summary>
internal sealed class WarmDesktop
{
    private readonly TaskCompletionSource _waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DesktopSpec> _claimed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeProvider _clock;
    private readonly DateTimeOffset _since;
    private readonly Task<string?> _outcome;

    public WarmDesktop(DesktopTemplate template, ImageManifest image, WarmParts parts, Origin origin)
    {
        _clock = parts.Creation.Clock;
        (Template, _since) = (template, _clock.GetUtcNow());

        // As a request that says nothing gets it, so that its session can stay as it is; and no egress before it is claimed.
        var spec = DesktopSpec.Of(template) with
        {
            Egress = EgressPolicy.None,
        };
        var view = DesktopView.New(spec, image.Name, image.Digest, parts.Creation.Options.Driver.Name, _since);
        Desktop = new Desktop(parts.Desktops, new StoredDesktop(view, spec.Egress, null, 0), [], unclaimed: true);
        var barrier = new ClaimBarrier(() => _waits.TrySetResult(), _claimed.Task);
        Desktop.Start(
            (desktop, token) =>
                new DesktopCreation(spec, image, parts.Creation, desktop.Resources, desktop.Reports).RunAsync(origin, barrier, token)
        );
        var restored = (origin as Origin.Restored)?.Snapshot;
        _outcome = AwaitOutcomeAsync(restored, restored is null ? null : parts.Snapshots.Use(restored));
    }

    public DesktopTemplate Template { get; }

    public Desktop Desktop { get; }

    /// <summary>Waits until it is at the barrier.</summary>
    /// <returns>Why it never will be; null when it is.</returns>
    public async Task<string?> WaitsAsync(CancellationToken cancellationToken)
    {
        await ((Task)_outcome.WaitAsync(cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _outcome.IsCompletedSuccessfully ? await _outcome : "The server stops.";
    }

    /// <summary>Makes it what was asked for; its work continues from the barrier to ready.</summary>
    /// <returns>False when it has ended meanwhile.</returns>
    public async Task<bool> ClaimAsync(DesktopSpec spec)
    {
        var now = _clock.GetUtcNow();
        var claim = new StepView(
            StepNames.Claim,
            StepState.Done,
            now,
            0,
            $"waited {(now - _since).TotalSeconds:0} s since it began to start"
        );
        var claimed = await Desktop.ClaimAsync(
            was =>
                DesktopView.New(spec, was.ImageName, was.ImageDigest, was.Driver, now) with
                {
                    Id = was.Id,
                    State = was.State,
                    Steps = [claim],
                    Warnings = was.Warnings,
                },
            spec.Egress
        );
        if (claimed)
        {
            _claimed.TrySetResult(spec);
        }

        return claimed;
    }

    /// <summary>A snapshot from which nothing came up is given up, so that the next desktop does not try it again.</summary>
    /// <param name="use">Of that snapshot; ends at the barrier, where the machine has all that it needs of it.</param>
    private async Task<string?> AwaitOutcomeAsync(GoldenSnapshot? restored, IDisposable? use)
    {
        await Task.WhenAny(_waits.Task, Desktop.Destroyed);
        use?.Dispose();
        if (_waits.Task.IsCompleted)
        {
            return null;
        }

        var reason = Desktop.View.Reason;
        if (restored is not null && reason is not { Code: ReasonCodes.Requested or ReasonCodes.Expired or ReasonCodes.Idle })
        {
            GoldenSnapshots.Discard(restored);
        }

        return reason?.Message ?? "It ended.";
    }
}
