using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Sctp;
using Oriel.WebRtc.Sdp;
using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Peers;

/// <summary>
/// One browser. All members may be called from any thread. Events come from the peer's own loop, one at a time; only
/// <see cref="DataChannelOpened"/> may come from another thread.
/// </summary>
public sealed class PeerConnection : IPacketReceiver, IAsyncDisposable
{
    // Equal to SctpOptions.MaxMessageSize: what is announced is what is accepted.
    private const int MaxMessageSize = 256 * 1024;

    private readonly TaskCompletionSource<CloseReason> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly WebRtcEndpoint _endpoint;
    private readonly PeerOptions _options;
    private readonly ILogger _logger;
    private readonly IceAgent _ice = new();
    private readonly TcpConnections _tcp = new();
    private readonly PeerTransport _transport;
    private readonly PeerLoop _loop;
    private readonly ulong _sessionId = (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
    private volatile Negotiated? _negotiated;
    private volatile PeerState _state;
    private volatile string? _oldUfrag;
    private bool _hasOffered;

    internal PeerConnection(WebRtcEndpoint endpoint, PeerOptions options, ILogger logger)
    {
        _endpoint = endpoint;
        _options = options;
        _logger = logger;
        _transport = new PeerTransport(endpoint, this, options, _ice, logger);
        endpoint.Register(_ice.Local.Ufrag, this);
        _loop = new PeerLoop(_transport, endpoint.Clock, logger);
    }

    public string Id { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
    public PeerState State => _state;
    public event Action<PeerState>? StateChanged;

    /// <summary>Completes with the reason when the peer has closed.</summary>
    public Task<CloseReason> Closed => _closed.Task;

    /// <summary>This side's candidates, in the form "candidate:…".</summary>
    public IReadOnlyList<string> Candidates => _endpoint.Candidates;

    /// <summary>Null until negotiated.</summary>
    public VideoCodec? Codec => _negotiated?.Video?.Codec;

    /// <summary>The peer needs a key frame; throttled by <see cref="PeerOptions.KeyFrameInterval"/>.</summary>
    public event Action? KeyFrameRequested;

    /// <summary>The encoder's new target in bits per second; raised on changes of 5 % or more.</summary>
    public event Action<int>? TargetBitrateChanged;

    /// <summary>True when a frame sent now would wait behind others for more than 60 ms; false when they have nearly left.</summary>
    public event Action<bool>? BacklogChanged;

    /// <summary>The peer opened a channel. Its messages are delivered after the handler has returned.</summary>
    public event Action<DataChannel>? DataChannelOpened;

    internal CongestionControl.BandwidthEstimator Bandwidth => _transport.Bandwidth;
    internal uint Ssrc { get; } = (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue);
    internal uint RtxSsrc { get; } = (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue) | 0x8000_0000;

    /// <summary>
    /// Takes the peer's offer and returns the answer; throws <see cref="SdpException"/>. A second offer with new ICE credentials restarts
    /// ICE.
    /// </summary>
    public string AcceptOffer(string sdp)
    {
        var offer = SdpDocument.Parse(sdp);
        var agreed = SdpNegotiator.ReadOffer(offer, _options.Codecs);
        lock (_lock)
        {
            ThrowIfClosed();
            if (_negotiated is { } before)
            {
                RequireSameSession(before, agreed);
                RestartIfNew(agreed.RemoteIce);
                return SdpWriter.Answer(Describe(), offer, before);
            }

            Apply(agreed);
            return SdpWriter.Answer(Describe(), offer, agreed);
        }
    }

    /// <summary>Creates this side's offer. Throws <see cref="InvalidOperationException"/> when the peer is already negotiated.</summary>
    public string CreateOffer()
    {
        lock (_lock)
        {
            ThrowIfClosed();
            if (_negotiated is not null)
            {
                throw new InvalidOperationException("The peer is already negotiated.");
            }

            _hasOffered = true;
            return SdpWriter.Offer(Describe(), _options.Codecs);
        }
    }

    /// <summary>The answer to <see cref="CreateOffer"/>; throws <see cref="SdpException"/>.</summary>
    public void AcceptAnswer(string sdp)
    {
        var agreed = SdpNegotiator.ReadAnswer(SdpDocument.Parse(sdp), _options.Codecs);
        lock (_lock)
        {
            ThrowIfClosed();
            if (!_hasOffered || _negotiated is not null)
            {
                throw new SdpException(_hasOffered ? "An answer has already been accepted." : "There is no offer to answer.");
            }

            Apply(agreed);
        }
    }

    /// <summary>
    /// Applies a trickle ICE fragment (RFC 8840). New credentials restart ICE without a new DTLS session, and the result is the fragment to
    /// send back. For candidates alone it is null.
    /// </summary>
    public string? PatchIce(string sdpFragment)
    {
        var remote = SdpNegotiator.ReadFragment(SdpDocument.ParseFragment(sdpFragment));
        lock (_lock)
        {
            ThrowIfClosed();
            var agreed = _negotiated ?? throw new SdpException("There is no session yet, so its ICE cannot change.");
            if (remote is null || !RestartIfNew(remote))
            {
                return null; // an ICE-lite side sends no checks, so it has no use for the peer's candidates
            }

            return SdpWriter.Fragment(Describe(), agreed.Transport);
        }
    }

    /// <summary>
    /// Packetizes and paces a frame; never blocks. Drops the frame when not connected, or when the queue is over its bound, in which case
    /// it also asks for a key frame.
    /// </summary>
    public void SendFrame(in EncodedVideo frame)
    {
        if (
            _state == PeerState.Connected
            && frame.Data.Length > 0
            && !_loop.TryPost(new PeerItem { Kind = PeerItemKind.Frame, Frame = frame })
        )
        {
            _transport.NoteLostFrame();
        }
    }

    public PeerStats GetStats()
    {
        var path = _ice.Selected;
        var counters = _transport.Sender?.Counters ?? new SenderCounters();
        return new PeerStats
        {
            State = _state,
            Codec = Codec,
            Transport =
                path is null ? null
                : path.IsTcp ? "tcp"
                : "udp",
            RemoteAddress = path?.Remote.ToString(),
            SrtpProfile = _transport.Profile,
            FramesSent = counters.FramesSent,
            FramesDropped = counters.FramesDropped,
            PacketsSent = counters.PacketsSent,
            BytesSent = counters.BytesSent,
            PacketsResent = counters.PacketsResent,
            PacketsRepeated = counters.PacketsRepeated,
            NacksReceived = counters.NacksReceived,
            ResendsRefused = counters.ResendsRefused,
            KeyFramesAsked = _transport.Reports.KeyFramesAsked,
            TargetBitrate = _transport.Bandwidth.Target,
            RembBitrate = _transport.Reports.Remb,
            RoundTrip = TimeSpan.FromMicroseconds(_transport.Reports.RoundTrip),
            Loss = _transport.Reports.Loss,
            QueuedBytes = _transport.Sender?.QueuedBytes ?? 0,
            PacketsReceived = _transport.PacketsReceived,
            BytesReceived = _transport.BytesReceived,
        };
    }

    /// <summary>
    /// Says goodbye (RTCP BYE, DTLS close_notify) and removes the peer; idempotent. Must not be awaited inside one of its own events.
    /// </summary>
    public ValueTask DisposeAsync() => CloseAsync(CloseReason.Local);

    internal async ValueTask CloseAsync(CloseReason reason)
    {
        await _loop.PostAsync(new PeerItem { Kind = PeerItemKind.Close, Reason = reason });
        await _loop.DisposeAsync();
    }

    void IPacketReceiver.Post(ReadOnlySpan<byte> packet, PacketKind kind, IcePath? path, SocketAddress? from) =>
        _loop.PostPacket(packet, kind, path, from);

    bool IPacketReceiver.TryAdd(TcpPath path) => _tcp.TryAdd(path);

    void IPacketReceiver.PostPathClosed(TcpPath path)
    {
        _tcp.Remove(path);
        _ = _loop.PostAsync(new PeerItem { Kind = PeerItemKind.PathClosed, Path = path });
    }

    internal void PostDtlsDone(DtlsOutcome outcome)
    {
        _endpoint.LeaveHandshake();
        _ = _loop.PostAsync(new PeerItem { Kind = PeerItemKind.DtlsDone, Dtls = outcome });
    }

    internal void RaiseKeyFrameRequested() => Raise(() => KeyFrameRequested?.Invoke());

    internal void RaiseTargetBitrateChanged(int bitrate) => Raise(() => TargetBitrateChanged?.Invoke(bitrate));

    internal void RaiseBacklogChanged(bool isLong) => Raise(() => BacklogChanged?.Invoke(isLong));

    internal void RaiseDataChannelOpened(DataChannel channel) => Raise(() => DataChannelOpened?.Invoke(channel));

    internal void OnState(PeerState state)
    {
        _state = state;
        _logger.StateChanged(Id, state);
        Raise(() => StateChanged?.Invoke(state));
    }

    internal void OnClosed(CloseReason reason)
    {
        _logger.PeerClosed(Id, reason);
        _tcp.Close();
        OnState(PeerState.Closed);
        _closed.TrySetResult(reason);
    }

    internal IEnumerable<string> Ufrags()
    {
        yield return _ice.Local.Ufrag;
        if (_oldUfrag is { } old)
        {
            yield return old;
        }
    }

    private void Apply(Negotiated agreed)
    {
        _negotiated = agreed;
        _ice.SetRemote(agreed.RemoteIce);
        _ = _loop.PostAsync(new PeerItem { Kind = PeerItemKind.Negotiated, Negotiated = agreed });
    }

    private bool RestartIfNew(IceCredentials remote)
    {
        if (_ice.Remote is { } known && known.Ufrag == remote.Ufrag && known.Password == remote.Password)
        {
            return false;
        }

        if (_oldUfrag is { } forgotten)
        {
            _endpoint.Unregister(forgotten, this);
        }

        _oldUfrag = _ice.Local.Ufrag;

        _endpoint.Register(_ice.Restart(remote).Ufrag, this);
        return true;
    }

    private static void RequireSameSession(Negotiated before, Negotiated now)
    {
        if (
            !before.Fingerprint.Hash.AsSpan().SequenceEqual(now.Fingerprint.Hash)
            || before.Video?.Mid != now.Video?.Mid
            || before.Video?.Codec != now.Video?.Codec
            || before.Data?.Mid != now.Data?.Mid
        )
        {
            throw new SdpException("A later offer may only restart ICE: the certificate, the sections and the codec must stay the same.");
        }
    }

    private LocalDescription Describe() =>
        new(_sessionId, _ice.Local, _endpoint.Fingerprint, _endpoint.Candidates, Ssrc, RtxSsrc, MaxMessageSize);

    private void ThrowIfClosed()
    {
        if (_state == PeerState.Closed)
        {
            throw new InvalidOperationException("The peer is closed.");
        }
    }

    private void Raise(Action raise)
    {
        try
        {
            raise();
        }
        catch (Exception e)
        {
            _logger.SubscriberFault(e, Id);
        }
    }
}
