using Microsoft.Extensions.Logging;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Control;
using Oriel.Streaming.Page;
using Oriel.Streaming.Picture;

namespace Oriel.Streaming;

/// <summary>
/// One desktop with at least one viewer, or whose last viewer has just left. Its owner loop adjusts the feeds to what the viewers want. A
/// coalescing signal wakes it, never a clock while nothing changes. Frames and cursor changes bypass the loop.
/// </summary>
internal sealed class DesktopStream : IAsyncDisposable
{
    /// <summary>Delay between the last notice and the end of the connections, so that the notice arrives.</summary>
    private static readonly TimeSpan LastWord = TimeSpan.FromMilliseconds(500);

    private readonly FeedContext _context;
    private readonly Action<DesktopStream> _ended;
    private readonly CancellationTokenSource _stop = new();
    private readonly Wake _wake = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Viewer> _viewers = [];
    private readonly Dictionary<Codec, VideoFeed> _feeds = [];
    private readonly WatchFeed _watch;
    private readonly PendingRequests _requests;
    private readonly Task _notices;
    private readonly Task _run;
    private volatile byte[]? _notice;
    private bool _closed;

    public DesktopStream(FeedContext context, Action<DesktopStream> ended)
    {
        _context = context;
        _ended = ended;
        _watch = new WatchFeed(context);
        _requests = new PendingRequests(context, _watch, _wake.Set);
        Gate = new PageGate(context, _requests);
        _notices = Task.Run(NoticeAsync);
        _run = Task.Run(RunAsync);
    }

    public DesktopId Desktop => _context.Desktop;

    /// <summary>Receives the pages' messages.</summary>
    public PageGate Gate { get; }

    /// <summary>Whether viewers can no longer join.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_lock)
            {
                return _closed;
            }
        }
    }

    /// <returns>False when this stream has just ended; the caller must create a new one.</returns>
    public bool TryJoin(Viewer viewer)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return false;
            }

            _viewers.Add(viewer.Id, viewer);
        }

        viewer.Input = new ViewerInput(_context);
        viewer.Changed += _wake.Set;
        viewer.KeyFrameWanted += OnKeyFrameWanted;
        _context.Metrics.Viewers.Add(1);
        _context.Links.ViewerJoined(_context.Desktop);
        if (viewer.IsLive)
        {
            OnKeyFrameWanted(viewer);
        }

        _wake.Set();
        return true;
    }

    /// <summary>Removes the viewer and releases what it held down. Idempotent.</summary>
    public async ValueTask LeaveAsync(Viewer viewer)
    {
        lock (_lock)
        {
            if (!_viewers.Remove(viewer.Id))
            {
                return;
            }
        }

        viewer.Changed -= _wake.Set;
        viewer.KeyFrameWanted -= OnKeyFrameWanted;
        _context.Metrics.Viewers.Add(-1);
        _context.Links.ViewerLeft(_context.Desktop);
        _wake.Set();
        if (viewer.Input is { } input)
        {
            await input.DisposeAsync();
        }
    }

    /// <summary>Sends the current state to a viewer whose control channel has opened.</summary>
    public void Greet(Viewer viewer)
    {
        var (width, height) = _watch.Size;
        var codec = viewer.Codec == Codec.H264 ? "h264" : "vp8";
        viewer.SendControl(
            ServerMessages.Write(
                new HelloMessage(_context.Desktop.ToString(), viewer.Id, codec, width, height),
                StreamingJsonContext.Default.HelloMessage
            )
        );
        _watch.Greet(viewer);
        if (_notice is { } notice)
        {
            viewer.SendNewest(ControlSlot.State, [notice]);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private void OnKeyFrameWanted(Viewer viewer)
    {
        VideoFeed? feed;
        lock (_lock)
        {
            feed = _feeds.GetValueOrDefault(viewer.Codec);
        }

        feed?.RequestKeyFrame();
    }

    private async Task RunAsync()
    {
        try
        {
            var emptySince = 0L;
            while (!_stop.IsCancellationRequested)
            {
                var viewers = Snapshot();
                emptySince =
                    viewers.Length > 0 ? 0
                    : emptySince == 0 ? _context.Clock.GetTimestamp()
                    : emptySince;
                if (emptySince != 0 && _context.Clock.GetElapsedTime(emptySince) >= _context.Options.Grace && TryClose())
                {
                    break;
                }

                _watch.SetViewers(viewers);
                var due = await AlignAsync(viewers);
                await _requests.ApplyAsync(_stop.Token);
                due = emptySince == 0 ? due : _context.Options.Grace - _context.Clock.GetElapsedTime(emptySince);
                await _wake.WaitAsync(due, _context.Clock, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped with the server.
        }
        // The owner loop must end its feeds whatever happens.
        catch (Exception e)
        {
            _context.Logger.LogError(e, "The stream of {Desktop} failed.", _context.Desktop);
        }

        await EndAsync();
    }

    /// <summary>Reports the desktop's states to the viewers. Ends the stream when the desktop is gone.</summary>
    private async Task NoticeAsync()
    {
        try
        {
            await foreach (var notice in _context.Links.WatchAsync(Desktop, _stop.Token))
            {
                _notice = ServerMessages.Write(
                    new StateMessage(
                        notice.State,
                        notice.ReasonCode is { } code ? new StateReason(code, notice.ReasonMessage ?? "") : null
                    ),
                    StreamingJsonContext.Default.StateMessage
                );
                Array.ForEach(Snapshot(), viewer => viewer.SendNewest(ControlSlot.State, [_notice]));
                if (notice.IsGone)
                {
                    await Task.Delay(LastWord, _context.Clock, _stop.Token);
                    await _stop.CancelAsync();
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The stream ends for another reason.
        }
    }

    /// <summary>Starts, adjusts and stops encoders. Returns the time until the next one must be stopped, if any.</summary>
    private async Task<TimeSpan?> AlignAsync(Viewer[] viewers)
    {
        TimeSpan? due = null;
        foreach (var codec in (Codec[])[Codec.Vp8, Codec.H264])
        {
            var mine = Array.FindAll(viewers, viewer => viewer.Codec == codec);
            var feed = _feeds.GetValueOrDefault(codec);
            if (mine.Length > 0)
            {
                Align(codec, feed, mine);
            }
            else if (feed is not null)
            {
                feed.SetViewers([]);
                feed.IdleSince = feed.IdleSince == 0 ? _context.Clock.GetTimestamp() : feed.IdleSince;
                var rest = _context.Options.Grace - _context.Clock.GetElapsedTime(feed.IdleSince);
                if (rest <= TimeSpan.Zero)
                {
                    lock (_lock)
                    {
                        _feeds.Remove(codec);
                    }

                    await feed.DisposeAsync();
                }
                else
                {
                    feed.Apply(feed.Settings with { Paused = true });
                    due = due is null || rest < due ? rest : due;
                }
            }
        }

        return due;
    }

    private void Align(Codec codec, VideoFeed? feed, Viewer[] viewers)
    {
        var visible = Array.FindAll(viewers, viewer => viewer is { Visible: true, IsAway: false });
        var counted = visible.Length > 0 ? visible : viewers;
        var options = _context.Options;
        var bitrate = Math.Clamp(counted.Min(viewer => viewer.TargetBitrate), options.MinBitrate, options.MaxBitrate);
        // Nobody sees frames, or frames would only queue up. The newest picture is captured when there is room for it.
        var paused = Array.TrueForAll(visible, viewer => viewer.IsBehind);
        var settings = new FeedSettings(bitrate, counted.Min(viewer => viewer.MaxFps), paused);
        if (feed is null)
        {
            feed = new VideoFeed(_context, codec, settings);
            feed.SetViewers(viewers);
            lock (_lock)
            {
                _feeds[codec] = feed;
            }

            return;
        }

        var before = feed.Settings;
        var revived = feed.IdleSince != 0;
        feed.IdleSince = 0;
        feed.SetViewers(viewers);
        if (settings != before)
        {
            feed.Apply(settings);
            if (settings.Bitrate != before.Bitrate)
            {
                var message = ServerMessages.Write(new RateMessage(settings.Bitrate), StreamingJsonContext.Default.RateMessage);
                Array.ForEach(viewers, viewer => viewer.SendNewest(ControlSlot.Rate, [message]));
            }
        }

        if (revived && Array.Exists(viewers, viewer => viewer.IsLive))
        {
            feed.RequestKeyFrame();
        }
    }

    private Viewer[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _viewers.Values];
        }
    }

    private bool TryClose()
    {
        lock (_lock)
        {
            return _closed = _viewers.Count == 0;
        }
    }

    private async Task EndAsync()
    {
        Viewer[] left;
        lock (_lock)
        {
            _closed = true;
            left = [.. _viewers.Values];
        }

        foreach (var viewer in left)
        {
            await LeaveAsync(viewer);
            await viewer.CloseAsync();
        }

        foreach (var feed in _feeds.Values)
        {
            await feed.DisposeAsync();
        }

        await _watch.DisposeAsync();
        await _stop.CancelAsync();
        await _notices;
        _ended(this);
    }
}
