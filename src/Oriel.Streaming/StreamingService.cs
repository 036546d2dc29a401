using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Oriel.Protocol;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Picture;
using Oriel.Streaming.Settings;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Sdp;

namespace Oriel.Streaming;

/// <summary>
/// All viewers of all desktops: handles signalling and assigns each viewer to its desktop's stream. Safe for concurrent use.
/// </summary>
public sealed class StreamingService : IAsyncDisposable
{
    /// <summary>Peers that have given way and are not gone yet.</summary>
    private const int Closing = 64;

    private readonly StreamingOptions _options;
    private readonly IAgentLinks _links;
    private readonly StreamingMetrics _metrics;
    private readonly TimeProvider _clock;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, PeerSession> _sessions = new();
    private readonly ConcurrentDictionary<DesktopId, int> _sockets = new();
    private readonly Lock _lock = new();

    // Counting the viewers and adding one is a single step.
    private readonly Lock _places = new();
    private readonly Dictionary<DesktopId, DesktopStream> _streams = [];
    private WebRtcEndpoint? _endpoint;
    private PeerTotals _left;
    private long _created;
    private bool _stopped;

    public StreamingService(
        StreamingOptions options,
        IAgentLinks links,
        StreamingMetrics metrics,
        TimeProvider clock,
        ILoggerFactory loggers
    )
    {
        _options = options;
        _links = links;
        _metrics = metrics;
        _clock = clock;
        _loggers = loggers;
        _logger = loggers.CreateLogger<StreamingService>();
        metrics.Observe(Totals, () => _sessions.Values.Select(session => session.Peer.GetStats().RoundTrip.TotalSeconds));
    }

    /// <summary>The UDP and TCP port listened on; 0 before <see cref="StartAsync"/>.</summary>
    public int Port => _endpoint?.Port ?? 0;

    /// <summary>Binds the media port.</summary>
    /// <exception cref="IOException">The port is taken, or the address is not this host's.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var options = new WebRtcOptions
        {
            Listen = _options.Listen,
            PublicAddresses = _options.PublicAddresses,
            MaxPeers = _options.MaxViewers + Closing,
            Clock = _clock,
        };
        try
        {
            _endpoint = await WebRtcEndpoint.StartAsync(options, _loggers, cancellationToken);
        }
        catch (SocketException e)
        {
            throw new IOException($"Media cannot be served on {_options.Listen}: {e.Message}", e);
        }
    }

    /// <summary>The page offers; the answer is in <see cref="Signalled.Sdp"/>.</summary>
    /// <param name="opener">The viewer ends when this is cancelled.</param>
    public Signalled TakeOffer(DesktopId desktop, string sdp, CancellationToken opener) =>
        WithNewPeer(
            desktop,
            session =>
            {
                var answer = session.Peer.AcceptOffer(sdp);
                session.Join(() => StreamOf(desktop));
                return answer;
            },
            opener
        );

    /// <summary>The server offers; the page answers with <see cref="TakeAnswer"/>.</summary>
    /// <param name="opener">The viewer ends when this is cancelled.</param>
    public Signalled MakeOffer(DesktopId desktop, CancellationToken opener) =>
        WithNewPeer(desktop, session => session.Peer.CreateOffer(), opener);

    public Signalled TakeAnswer(DesktopId desktop, string viewer, string sdp)
    {
        if (Find(desktop, viewer) is not { Viewer: null } session)
        {
            return NoSuchViewer();
        }

        try
        {
            session.Peer.AcceptAnswer(sdp);
            session.Join(() => StreamOf(desktop));
            return Done(session, null);
        }
        catch (SdpException e)
        {
            return Signalled.Refused(StreamingError.BadSdp, e.Message);
        }
    }

    /// <summary>
    /// Trickled candidates or an ICE restart; <see cref="Signalled.Sdp"/> is the fragment to return for a restart, else null.
    /// </summary>
    /// <param name="isMeant">Whether the ICE session with this entity tag is the one to change.</param>
    public Signalled PatchIce(DesktopId desktop, string viewer, string fragment, Func<string, bool> isMeant)
    {
        if (Find(desktop, viewer) is not { } session)
        {
            return NoSuchViewer();
        }

        try
        {
            // One step: of two restarts of the same ICE session, the second would be of another one.
            lock (session.Patching)
            {
                if (!isMeant(session.ETag))
                {
                    return Signalled.Refused(StreamingError.StaleETag, "The viewer's ICE session has changed since.");
                }

                var answer = session.Peer.PatchIce(fragment);
                if (answer is not null)
                {
                    session.NextGeneration();
                }

                return Done(session, answer);
            }
        }
        catch (SdpException e)
        {
            return Signalled.Refused(StreamingError.BadSdp, e.Message);
        }
        catch (InvalidOperationException) when (session.Peer.State == PeerState.Closed)
        {
            return NoSuchViewer(); // it ended meanwhile
        }
    }

    /// <summary>Whether there is such a viewer.</summary>
    public Signalled Look(DesktopId desktop, string viewer) => Find(desktop, viewer) is { } session ? Done(session, null) : NoSuchViewer();

    /// <summary>Ends a viewer.</summary>
    public async Task<Signalled> EndAsync(DesktopId desktop, string viewer)
    {
        if (Find(desktop, viewer) is not { } session)
        {
            return NoSuchViewer();
        }

        await CloseAsync(session);
        return Done(session, null);
    }

    /// <summary>Resumes the desktop if it is paused. Must be called before a viewer is added.</summary>
    public Task WakeAsync(DesktopId desktop, CancellationToken cancellationToken) => _links.WakeAsync(desktop, cancellationToken);

    /// <summary>
    /// Why a viewer of this desktop may not be added; null when it may. Only connected viewers count: one that never connected, or has
    /// lost its connection, gives way.
    /// </summary>
    public Signalled? Refusal(DesktopId desktop) =>
        _links.Look(desktop) switch
        {
            DesktopAvailability.NotReady => Signalled.Refused(StreamingError.NotReady, "The desktop is not ready."),
            DesktopAvailability.Gone => Signalled.Refused(StreamingError.DesktopGone, "The desktop is gone."),
            DesktopAvailability.Unknown => Signalled.Refused(StreamingError.NoSuchDesktop, $"There is no desktop {desktop}."),
            _ => CountConnected(desktop) >= _options.MaxViewersPerDesktop
                ? Signalled.Refused(
                    StreamingError.TooManyViewers,
                    $"The desktop already has {_options.MaxViewersPerDesktop} viewers, which is the maximum."
                )
                : null,
        };

    /// <summary>Takes a place among the desktop's viewers for a page on the WebSocket fallback, before its socket is accepted.</summary>
    /// <param name="place">Gives the place back when disposed; null when it is refused.</param>
    public Signalled? TakePlace(DesktopId desktop, out IDisposable? place)
    {
        lock (_places)
        {
            place = null;
            if (Refusal(desktop) is { } refusal)
            {
                return refusal;
            }

            _sockets.AddOrUpdate(desktop, 1, (_, count) => count + 1);
            MakeRoom(desktop);
        }

        place = new Place(() =>
        {
            _sockets.AddOrUpdate(desktop, 0, (_, count) => count - 1);
            _sockets.TryRemove(new KeyValuePair<DesktopId, int>(desktop, 0));
        });
        return null;
    }

    /// <summary>Serves a page over the WebSocket fallback until it leaves.</summary>
    public async Task ServeSocketAsync(DesktopId desktop, WebSocket socket, CancellationToken cancellationToken)
    {
        var viewer = new SocketViewer(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)), socket, _options, _clock);
        DesktopStream stream;
        do
        {
            stream = StreamOf(desktop);
        } while (!stream.TryJoin(viewer));
        try
        {
            await viewer.RunAsync(stream, cancellationToken);
        }
        finally
        {
            await stream.LeaveAsync(viewer);
        }
    }

    /// <summary>Ends all viewers and encoders. Idempotent.</summary>
    public async ValueTask DisposeAsync()
    {
        DesktopStream[] streams;
        lock (_lock)
        {
            _stopped = true;
            streams = [.. _streams.Values];
        }

        await Task.WhenAll(_sessions.Values.Select(CloseAsync));
        foreach (var stream in streams)
        {
            await stream.DisposeAsync();
        }

        if (_endpoint is { } endpoint)
        {
            _endpoint = null;
            await endpoint.DisposeAsync();
        }
    }

    private Signalled WithNewPeer(DesktopId desktop, Func<PeerSession, string> negotiate, CancellationToken opener)
    {
        PeerSession session;
        lock (_places)
        {
            if (Refusal(desktop) is { } refusal)
            {
                return refusal;
            }

            if (TryCreateSession(desktop) is not { } created)
            {
                return Signalled.Refused(StreamingError.TooManyViewers, "The server has as many viewers as it takes.");
            }

            session = created;
            MakeRoom(desktop, session);
        }

        try
        {
            var sdp = negotiate(session);
            session.Ended = FollowAsync(session, opener);
            return Done(session, sdp);
        }
        catch (SdpException e)
        {
            session.Ended = CloseAsync(session);
            return Signalled.Refused(StreamingError.BadSdp, e.Message);
        }
    }

    private PeerSession? TryCreateSession(DesktopId desktop)
    {
        var endpoint = _endpoint ?? throw new InvalidOperationException("The media endpoint is not started.");
        GiveWay(_sessions.Values, _sessions.Count - _options.MaxViewers + 1);
        if (_sessions.Count >= _options.MaxViewers)
        {
            return null;
        }

        var options = new PeerOptions
        {
            Codecs = _options.Codecs,
            StartBitrate = _options.StartBitrate,
            MinBitrate = _options.MinBitrate,
            MaxBitrate = _options.MaxBitrate,
            KeyFrameInterval = _options.KeyFrameInterval,
        };
        PeerConnection peer;
        try
        {
            peer = endpoint.CreatePeer(options);
        }
        catch (InvalidOperationException)
        {
            return null;
        }

        var session = new PeerSession(desktop, peer, ++_created, _options, _logger);
        _sessions[peer.Id] = session;
        return session;
    }

    /// <summary>Waits until the peer has ended, for whatever reason, or its opener may see no more, and releases what it held.</summary>
    private async Task FollowAsync(PeerSession session, CancellationToken opener)
    {
        try
        {
            var reason = await session.Peer.Closed.WaitAsync(opener);
            _logger.LogDebug("Viewer {Viewer} of {Desktop} ended: {Reason}.", session.Peer.Id, session.Desktop, reason);
        }
        catch (OperationCanceledException) when (opener.IsCancellationRequested)
        {
            _logger.LogDebug("Viewer {Viewer} of {Desktop} ends with the session that opened it.", session.Peer.Id, session.Desktop);
        }

        await CloseAsync(session);
    }

    private async Task CloseAsync(PeerSession session)
    {
        if (!_sessions.TryRemove(session.Peer.Id, out _))
        {
            return;
        }

        lock (_lock)
        {
            _left += TotalsOf(session);
        }

        try
        {
            await session.LeaveAsync();
            await session.Peer.DisposeAsync();
        }
        // A failure to end one viewer must not affect the others.
        catch (Exception e)
        {
            _logger.LogError(e, "Ending viewer {Viewer} failed.", session.Peer.Id);
        }
    }

    private PeerSession? Find(DesktopId desktop, string viewer) =>
        _sessions.TryGetValue(viewer, out var session) && session.Desktop == desktop ? session : null;

    private int CountConnected(DesktopId desktop) =>
        _sessions.Values.Count(session => session.Desktop == desktop && session.Peer.State == PeerState.Connected)
        + _sockets.GetValueOrDefault(desktop);

    /// <summary>Holds a desktop's viewers to the bound, those that are still connecting included.</summary>
    private void MakeRoom(DesktopId desktop, PeerSession? newest = null)
    {
        var all = _sessions.Values.Where(session => session.Desktop == desktop).ToArray();
        GiveWay(all.Where(session => session != newest), all.Length + _sockets.GetValueOrDefault(desktop) - _options.MaxViewersPerDesktop);
    }

    /// <summary>Closes so many of the sessions that are not connected, the oldest first.</summary>
    private void GiveWay(IEnumerable<PeerSession> sessions, int count)
    {
        var idle = sessions.Where(session => session.Peer.State != PeerState.Connected).OrderBy(session => session.Number);
        foreach (var session in idle.Take(count).ToArray())
        {
            _logger.LogDebug("Viewer {Viewer} of {Desktop} is not connected and gives way.", session.Peer.Id, session.Desktop);
            session.Ended = CloseAsync(session);
        }
    }

    private DesktopStream StreamOf(DesktopId desktop)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopped, this);
            if (!_streams.TryGetValue(desktop, out var stream) || stream.IsClosed)
            {
                var context = new FeedContext(desktop, _links, _options, _metrics, _clock, _logger);
                _streams[desktop] = stream = new DesktopStream(context, Forget);
            }

            return stream;
        }
    }

    private void Forget(DesktopStream stream)
    {
        lock (_lock)
        {
            if (_streams.GetValueOrDefault(stream.Desktop) == stream)
            {
                _streams.Remove(stream.Desktop);
            }
        }
    }

    private PeerTotals Totals()
    {
        PeerTotals left;
        lock (_lock)
        {
            left = _left;
        }

        return _sessions.Values.Aggregate(left, (sum, session) => sum + TotalsOf(session));
    }

    private static PeerTotals TotalsOf(PeerSession session)
    {
        var stats = session.Peer.GetStats();
        return new PeerTotals(stats.FramesDropped, stats.NacksReceived, stats.PacketsResent, stats.BytesSent);
    }

    private static Signalled Done(PeerSession session, string? sdp) =>
        new(null, "", session.Peer.Id, sdp, session.Peer.Candidates, session.ETag);

    private static Signalled NoSuchViewer() =>
        Signalled.Refused(StreamingError.NoSuchViewer, "There is no such viewer; it may have ended.");

    private sealed class Place(Action release) : IDisposable
    {
        private Action? _release = release;

        public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
    }
}
