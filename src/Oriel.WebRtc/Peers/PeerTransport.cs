using System.Net;
using Microsoft.Extensions.Logging;
using Oriel.WebRtc.CongestionControl;
using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Sctp;
using Oriel.WebRtc.Sdp;
using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Peers;

/// <summary>
/// ICE, DTLS, SRTP and media of one peer. Everything here runs on the peer's loop, with two exceptions. The DTLS handshake has its own
/// thread and hands its outcome to the loop. SCTP sends from whichever thread caused a packet, or from its timer; <see cref="DtlsSession"/>
/// serializes its sends with the loop's.
/// </summary>
internal sealed class PeerTransport
{
    private const long Second = 1_000_000;
    private const long StillAfter = 2 * Second;

    private readonly WebRtcEndpoint _endpoint;
    private readonly PeerConnection _peer;
    private readonly PeerOptions _options;
    private readonly PeerClock _clock;
    private readonly ILogger _logger;
    private readonly DtlsSession _dtls;
    private readonly byte[] _stun = new byte[512];
    private readonly byte[] _report = new byte[256];
    private readonly RtcpHandler _rtcp;
    private readonly KeyFrameThrottle _keyFrames;
    private readonly Backlog _backlog = new();
    private readonly byte[] _cname;
    private Negotiated? _negotiated;
    private SrtpContext? _srtp;
    private SctpAssociation? _sctp;
    private IcePath? _announced;
    private long _nextReport;
    private long _nextUpkeep;
    private int _announcedTarget;
    private int _frameLost;

    public PeerTransport(WebRtcEndpoint endpoint, PeerConnection peer, PeerOptions options, IceAgent ice, ILogger logger)
    {
        _endpoint = endpoint;
        _peer = peer;
        _options = options;
        _clock = endpoint.Clock;
        _logger = logger;
        Ice = ice;
        _dtls = new DtlsSession(SendRaw);
        Bandwidth = new BandwidthEstimator(options.StartBitrate, options.MinBitrate, options.MaxBitrate);
        _announcedTarget = Bandwidth.Target;
        _keyFrames = new KeyFrameThrottle((long)options.KeyFrameInterval.TotalMicroseconds);
        _rtcp = new RtcpHandler(this, _clock);
        _cname = System.Text.Encoding.ASCII.GetBytes(peer.Id);
        CreatedAt = _clock.Now;
    }

    public IceAgent Ice { get; }
    public BandwidthEstimator Bandwidth { get; }
    public VideoSender? Sender { get; private set; }
    public RtcpHandler Reports => _rtcp;
    public string? Profile => _srtp?.Profile.Name;
    public string PeerId => _peer.Id;
    public long CreatedAt { get; }
    public bool IsClosed { get; private set; }
    public long PacketsReceived { get; private set; }
    public long BytesReceived { get; private set; }

    public void Handle(in PeerItem item)
    {
        if (IsClosed)
        {
            return;
        }

        switch (item.Kind)
        {
            case PeerItemKind.Packet:
                OnPacket(item);
                break;
            case PeerItemKind.Frame:
                OnFrame(item.Frame);
                break;
            case PeerItemKind.PathClosed:
                Ice.Remove(item.Path!);
                break;
            case PeerItemKind.Negotiated:
                _negotiated = item.Negotiated;
                SetState(PeerState.Connecting);
                break;
            case PeerItemKind.DtlsDone:
                OnDtlsDone(item.Dtls!);
                break;
            case PeerItemKind.Close:
                Close(item.Reason);
                break;
            default:
                break;
        }
    }

    /// <summary>Called after every batch of items: sends what may be sent and checks the timers. Returns when to call it next.</summary>
    public long Pump()
    {
        if (IsClosed)
        {
            return long.MaxValue;
        }

        var now = _clock.Now;
        if (now >= _nextUpkeep)
        {
            _nextUpkeep = now + (Second / 2);
            Upkeep(now);
        }

        if (IsClosed || Sender is null || _peer.State != PeerState.Connected)
        {
            return _nextUpkeep;
        }

        var due = Sender.Pump(now);
        if (Sender.WantsKeyFrame)
        {
            _keyFrames.Ask();
        }

        if (_keyFrames.IsDue(now))
        {
            _peer.RaiseKeyFrameRequested();
        }

        if (_backlog.Update(Sender.QueuedBytes, Bandwidth.PacingRate))
        {
            _peer.RaiseBacklogChanged(_backlog.IsLong);
        }

        AnnounceTarget();
        return Math.Min(Math.Min(due, _nextUpkeep), _keyFrames.Due);
    }

    /// <summary>A frame did not fit in the loop's queue. May be called from any thread.</summary>
    public void NoteLostFrame() => Interlocked.Exchange(ref _frameLost, 1);

    /// <summary>
    /// The peer asked for a key frame (PLI, FIR). A browser also asks after three seconds without a new frame (Chromium's
    /// max_wait_for_frame), and an answer would only start the next three. So while the screen is still, a peer that has everything sent
    /// gets no answer. Nor does one to which a key frame is on its way.
    /// </summary>
    public void AskKeyFrame()
    {
        if (
            Sender is null
            || !Sender.IsAtRest(_clock.Now, StillAfter, _rtcp.HighestReceived, _rtcp.LastNack)
                && !Sender.HasKeyFrameOnItsWay(_clock.Now, _rtcp.RoundTrip)
        )
        {
            _keyFrames.Ask();
        }
    }

    public void Close(CloseReason reason)
    {
        if (IsClosed)
        {
            return;
        }

        IsClosed = true;
        if (_srtp is not null && Sender is not null)
        {
            var length = Rtcp.RtcpWriter.Bye(_report, Sender.Ssrc);
            SendRaw(_report.AsSpan(0, _srtp.ProtectRtcp(_report, length)));
        }

        _sctp?.Dispose();
        _dtls.Dispose();
        Ice.Close();
        _srtp?.Dispose();
        _endpoint.Remove(_peer);
        _peer.OnClosed(reason);
    }

    private void OnPacket(in PeerItem item)
    {
        PacketsReceived++;
        BytesReceived += item.Length;
        var packet = item.Buffer.AsSpan(0, item.Length);
        switch (item.Packet)
        {
            case PacketKind.Stun:
                OnStun(packet, item.Path, item.From);
                break;
            case PacketKind.Dtls:
                OnDtls(packet);
                break;
            case PacketKind.Rtcp when _srtp is not null && _srtp.UnprotectRtcp(packet, out var length):
                _rtcp.Handle(packet[..length], _clock.Now);
                break;
            default:
                break; // RTP: nothing is received here
        }
    }

    private void OnStun(ReadOnlySpan<byte> packet, IcePath? path, SocketAddress? from)
    {
        var remote = path?.Remote ?? UdpPath.ToEndPoint(from!);
        var length = Ice.Answer(packet, remote, _stun, out var check);
        if (length == 0)
        {
            return;
        }

        // Only an authentic check creates a path, so that nobody else can claim an address.
        path ??= check.IsValid ? _endpoint.Udp!.Remember(from!, _peer) : null;
        if (path is null)
        {
            _endpoint.Udp!.Send(_stun.AsSpan(0, length), from!);
            return;
        }

        if (check.IsValid && !Ice.OnValidCheck(path, check, _clock.Now))
        {
            path.Close();
            return;
        }

        path.Send(_stun.AsSpan(0, length));
        AnnouncePath();
        if (_peer.State == PeerState.Disconnected && _srtp is not null)
        {
            Sender?.RequireKeyFrame(); // frames were dropped meanwhile
            SetState(PeerState.Connected);
            _keyFrames.Ask();
        }
    }

    private void OnDtls(ReadOnlySpan<byte> packet)
    {
        if (_dtls.IsEstablished)
        {
            if (!_dtls.Receive(packet, OnApplicationData))
            {
                Close(CloseReason.Remote);
            }

            return;
        }

        if (!_dtls.IsStarted)
        {
            // The fingerprint is unknown until the answer arrives. The client will resend its hello.
            if (_negotiated is null || !DtlsRecord.IsClientHello(packet) || !_endpoint.TryEnterHandshake())
            {
                return;
            }

            _dtls.Start(_endpoint.Certificate, _negotiated.Fingerprint, _peer.PostDtlsDone);
        }

        _dtls.Enqueue(packet);
    }

    private void OnDtlsDone(DtlsOutcome outcome)
    {
        if (outcome.Failure is not null)
        {
            _logger.DtlsFailed(PeerId, outcome.Failure);
            Close(CloseReason.DtlsFailed);
            return;
        }

        _dtls.Establish(outcome.Transport!);
        var (client, server) = SrtpKeys.FromDtls(outcome.Profile!, outcome.KeyingMaterial);
        System.Security.Cryptography.CryptographicOperations.ZeroMemory(outcome.KeyingMaterial);
        _srtp = new SrtpContext(server, client);
        _logger.DtlsDone(PeerId, outcome.Profile!.Name);
        if (_negotiated!.Video is { } video)
        {
            Sender = new VideoSender(video, _peer.Ssrc, _peer.RtxSsrc, _srtp, Bandwidth, packet => SendRaw(packet.Span));
        }

        if (_negotiated.Data is { } data)
        {
            // 0: no limit (RFC 8841 section 6)
            var remoteMax = (int)Math.Min(data.MaxMessageSize is 0 ? int.MaxValue : data.MaxMessageSize, int.MaxValue);
            _sctp = new SctpAssociation(
                new SctpOptions
                {
                    IsDtlsClient = false,
                    RemotePort = data.SctpPort,
                    RemoteMaxMessageSize = remoteMax,
                    Logger = _logger,
                },
                packet => _dtls.Send(packet.Span),
                _clock.Provider
            );
            _sctp.ChannelOpened += _peer.RaiseDataChannelOpened;
        }

        SetState(PeerState.Connected);
        _keyFrames.Ask();
        if (!_dtls.Receive(OnApplicationData))
        {
            Close(CloseReason.Remote);
        }
    }

    private void OnApplicationData(ReadOnlySpan<byte> data) => _sctp?.Receive(data);

    private void OnFrame(in EncodedVideo frame)
    {
        if (Sender is null || _peer.State != PeerState.Connected)
        {
            return;
        }

        if (Interlocked.Exchange(ref _frameLost, 0) == 1)
        {
            Sender.RequireKeyFrame();
            Sender.Counters.FramesDropped++;
        }

        if (Sender.Enqueue(frame, _clock.Now) && frame.IsKeyFrame)
        {
            _keyFrames.OnKeyFrame(_clock.Now);
        }
    }

    private void Upkeep(long now)
    {
        var options = _endpoint.Options;
        if (_peer.State is PeerState.New or PeerState.Connecting)
        {
            if (now - CreatedAt > options.ConnectTimeout.TotalMicroseconds)
            {
                Close(CloseReason.ConnectTimeout);
            }

            return;
        }

        var silence = now - Ice.LastCheck;
        Ice.Expire(now - (long)options.ConsentTimeout.TotalMicroseconds);
        if (Ice.Paths.Count == 0 && silence > options.ConsentTimeout.TotalMicroseconds)
        {
            Close(CloseReason.ConsentExpired);
            return;
        }

        if (silence > options.DisconnectedAfter.TotalMicroseconds && _peer.State == PeerState.Connected)
        {
            SetState(PeerState.Disconnected);
        }

        AnnouncePath();
        Bandwidth.OnTick(now);
        if (Sender is not null && now >= _nextReport)
        {
            _nextReport = now + Second;
            Sender.Trim(now);
            var length = Sender.WriteReport(_report, now, _clock.Ntp, _cname);
            SendRaw(_report.AsSpan(0, _srtp!.ProtectRtcp(_report, length)));
        }
    }

    private void AnnouncePath()
    {
        if (!ReferenceEquals(Ice.Selected, _announced))
        {
            _announced = Ice.Selected;
            if (_announced is { } path)
            {
                _logger.PathChosen(PeerId, path.IsTcp ? "tcp" : "udp", path.Remote.ToString());
            }
        }
    }

    // Small steps are not worth reconfiguring an encoder.
    private void AnnounceTarget()
    {
        var target = Bandwidth.Target;
        if (Math.Abs(target - _announcedTarget) * 20L >= _announcedTarget)
        {
            _announcedTarget = target;
            _peer.RaiseTargetBitrateChanged(target);
        }
    }

    private void SetState(PeerState state)
    {
        if (_peer.State != state)
        {
            _peer.OnState(state);
        }
    }

    private void SendRaw(ReadOnlySpan<byte> packet) => Ice.Selected?.Send(packet);
}
