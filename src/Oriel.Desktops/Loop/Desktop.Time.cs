using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;

namespace Oriel.Desktops.Loop;

// What time does to a desktop. The loop looks next at its time to live, its idle end, its idle pause, or when its size is to be stored.
public sealed partial class Desktop
{
    /// <summary>What lies further ahead is looked at again.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>Between two sizes that are stored.</summary>
    private static readonly TimeSpan SizeInterval = TimeSpan.FromSeconds(1);

    private readonly ITimer _timer;
    private long _newSize;
    private int _isSizePosted;
    private DateTimeOffset? _sizeDue;
    private DateTimeOffset _sizeSavedAt;

    private DateTimeOffset? Expiry => DesktopTransitions.Counts(_view.State) ? _view.ExpiresAt : null;

    private DateTimeOffset? IdleEnd =>
        _view.State is DesktopState.Ready or DesktopState.Paused && !IsInUse ? LastActivity + _view.IdleTimeout : null;

    private DateTimeOffset? IdlePause => _view.State == DesktopState.Ready && !IsInUse && !_isAsked ? LastActivity + _view.IdlePause : null;

    private void SetTimer()
    {
        if (_unclaimed || new[] { Expiry, IdleEnd, IdlePause, _sizeDue }.Min() is not { } next)
        {
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return;
        }

        var wait = next - _context.Clock.GetUtcNow();
        _timer.Change(
            wait < TimeSpan.Zero ? TimeSpan.Zero
                : wait < LongestWait ? wait
                : LongestWait,
            Timeout.InfiniteTimeSpan
        );
    }

    private async Task HandleTimeAsync()
    {
        var now = _context.Clock.GetUtcNow();
        if (_unclaimed)
        {
            return;
        }

        if (now >= _sizeDue)
        {
            await SaveSizeAsync();
        }

        if (now >= Expiry)
        {
            await HandleVerbAsync(
                new VerbMessage(
                    DesktopVerb.Destroy,
                    DesktopReason.Of(ReasonCodes.Expired, $"Its time to live ended at {_view.ExpiresAt:u}."),
                    null,
                    null
                )
            );
        }
        else if (now >= IdleEnd)
        {
            await HandleVerbAsync(
                new VerbMessage(
                    DesktopVerb.Destroy,
                    DesktopReason.Of(ReasonCodes.Idle, $"Nobody used it for {_view.IdleTimeout!.Value.TotalSeconds:0} s."),
                    null,
                    null
                )
            );
        }
        else if (now >= IdlePause)
        {
            await HandleVerbAsync(new VerbMessage(DesktopVerb.Pause, null, null, null, ForIdle: true));
        }
    }

    private sealed record TimeMessage : Message;
}
