using System.Buffers.Binary;
using Oriel.Agent.Capture;
using Oriel.Protocol.Display;
using Oriel.Streaming.Settings;
using Oriel.WebRtc.CongestionControl;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Video;

namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>
/// A screen whose text scrolls, the agent's pacing and encoder, the server's sender and its estimate of the path, a link and a viewer: real
/// ones but for link, viewer and clock. Times are microseconds of a clock that nothing but this loop moves, so a loaded machine shows the
/// same as an idle one.
/// </summary>
internal sealed class SimulatedStream
{
    private const long Tick = 250,
        ControlDelay = 1_000;
    private const uint Ssrc = 1;
    private static readonly int StartBitrate = new StreamingOptions().StartBitrate;

    private readonly Codec _codec;
    private readonly SimulatedLink _link;
    private readonly long _oneWay;
    private readonly PriorityQueue<Action<long>, (long At, long Order)> _events = new();
    private long _order;

    public SimulatedStream(Codec codec, Func<long, double> rate, TimeSpan roundTrip, TimeSpan queue)
    {
        _codec = codec;
        Rate = rate;
        _link = new SimulatedLink(rate, (long)queue.TotalMicroseconds);
        _oneWay = (long)roundTrip.TotalMicroseconds / 2;
    }

    /// <summary>The link's, in bits per second.</summary>
    public Func<long, double> Rate { get; }

    public int Dropped => _link.Dropped;

    /// <summary>When each frame's pixels were drawn and shown.</summary>
    public List<(long Drawn, long Shown)> Frames { get; } = [];

    public List<Sample> Samples { get; } = [];

    public List<SentFrame> Sent { get; } = [];

    /// <summary>Draws, captures, encodes, sends and shows for so long.</summary>
    public SimulatedStream Run(TimeSpan duration, int width = 1280, int height = 720, int drawsPerSecond = 30)
    {
        var end = (long)duration.TotalMicroseconds;
        var encodeTime = _codec == Codec.H264 ? 6_000 : 16_000;
        using var screen = new ScrollingText(width, height);
        using var srtp = MakeSrtp();
        using var viewerSrtp = MakeSrtp();
        Dictionary<uint, ushort> keyFrameFirst = [];
        HashSet<uint> keyFrameTimes = [];
        var viewer = new SimulatedViewer(viewerSrtp, Ssrc, timestamp => keyFrameFirst.TryGetValue(timestamp, out var first) ? first : null);
        var estimator = new BandwidthEstimator(StartBitrate, 100_000, 20_000_000);
        var backlog = new Backlog();
        var keyFrames = new KeyFrameThrottle(500_000);
        var pacer = new FramePacer(60);
        using var encoder = new StreamEncoder(_codec, pacer);
        VideoSender sender = null!;
        var now = 0L;
        sender = new VideoSender(
            new VideoParameters
            {
                Codec = _codec == Codec.H264 ? VideoCodec.H264 : VideoCodec.Vp8,
                PayloadType = 96,
                RtxPayloadType = 97,
                Mid = "0",
                Extensions = VideoExtensions.Offered,
                TransportFeedback = true,
            },
            Ssrc,
            2,
            srtp,
            estimator,
            packet =>
            {
                var timestamp = BinaryPrimitives.ReadUInt32BigEndian(packet.Span[4..]);
                if (keyFrameTimes.Contains(timestamp) && BinaryPrimitives.ReadUInt32BigEndian(packet.Span[8..]) == Ssrc)
                {
                    keyFrameFirst.TryAdd(timestamp, BinaryPrimitives.ReadUInt16BigEndian(packet.Span[2..]));
                }

                if (_link.Send(packet.Length, now) is { } passed)
                {
                    var copy = packet.ToArray();
                    At(passed + _oneWay, at => viewer.Receive(copy, at));
                }
            }
        );
        var (damage, agentFreeAt, keyFrameWanted, paused, bitrate) = (-1L, 0L, false, false, StartBitrate);
        var nextDraw = 0L;
        var drawnAt = new Dictionary<uint, long>();
        for (; now < end; now += Tick)
        {
            if (now >= nextDraw)
            {
                screen.Scroll();
                damage = damage < 0 ? now : damage;
                nextDraw += 1_000_000 / drawsPerSecond;
            }

            if (now >= agentFreeAt && !paused)
            {
                var (action, _) = pacer.Decide(now, damage, keyFrameWanted);
                if (action != FrameAction.Wait)
                {
                    var changed = action != FrameAction.Refine && damage >= 0;
                    if (changed || action == FrameAction.KeyFrame)
                    {
                        pacer.Captured(now);
                        screen.Capture();
                    }

                    var drawn = changed ? nextDraw - (1_000_000 / drawsPerSecond) : now;
                    var encoded = encoder.Encode(screen.Picture, screen.Whole, now, bitrate, action == FrameAction.KeyFrame, changed);
                    keyFrameWanted &= action != FrameAction.KeyFrame;
                    damage = changed ? -1 : damage;
                    agentFreeAt = now + encodeTime + ControlDelay;
                    if (!encoded.Data.IsEmpty)
                    {
                        var rtp = (uint)(now * 9 / 100);
                        drawnAt[rtp] = drawn;
                        if (encoded.KeyFrame)
                        {
                            keyFrameTimes.Add(rtp);
                        }

                        var frame = new EncodedVideo(encoded.Data.ToArray(), rtp, encoded.KeyFrame, width, height);
                        Sent.Add(new SentFrame(now, frame.Data.Length, encoded.Quantizer, encoded.KeyFrame, !changed));
                        At(
                            agentFreeAt,
                            at =>
                            {
                                if (sender.Enqueue(frame, at) && frame.IsKeyFrame)
                                {
                                    keyFrames.OnKeyFrame(at);
                                }
                            }
                        );
                    }
                }
            }

            while (_events.TryPeek(out var action, out var due) && due.At <= now)
            {
                _events.Dequeue();
                action(now);
            }

            sender.Pump(now);
            sender.Trim(now);
            if (sender.WantsKeyFrame && sender.Counters.FramesSent > 0)
            {
                keyFrames.Ask();
            }

            if (keyFrames.IsDue(now))
            {
                At(now + ControlDelay, _ => keyFrameWanted = true);
            }

            if (backlog.Update(sender.QueuedBytes, estimator.PacingRate))
            {
                var isLong = backlog.IsLong;
                At(now + ControlDelay, _ => paused = isLong);
            }

            var target = Math.Clamp(estimator.Target, 150_000, 20_000_000);
            if (target != bitrate)
            {
                At(now + ControlDelay, _ => bitrate = target);
            }

            if (viewer.Report(now) is { } report)
            {
                At(now + _oneWay, at => estimator.OnFeedback(report, at));
            }

            if (viewer.Missing(now) is { Length: > 0 } missing)
            {
                At(now + _oneWay, at => sender.OnNack(missing, at, 2 * _oneWay));
            }

            if (viewer.AsksKeyFrame(now))
            {
                At(
                    now + _oneWay,
                    at =>
                    {
                        if (!sender.HasKeyFrameOnItsWay(at, 2 * _oneWay))
                        {
                            keyFrames.Ask();
                        }
                    }
                );
            }

            if (now % 20_000 == 0)
            {
                Samples.Add(new Sample(now, Rate(now), target, estimator.PacingRate, _link.Queued(now), sender.QueuedBytes, paused));
            }

            if (now % 500_000 == 0)
            {
                estimator.OnTick(now);
            }
        }

        foreach (var (timestamp, at) in viewer.Shown)
        {
            Frames.Add((drawnAt[timestamp], at));
        }

        return this;
    }

    private void At(long at, Action<long> action) => _events.Enqueue(action, (at, _order++));

    private static SrtpContext MakeSrtp()
    {
        var profile = SrtpProfile.AeadAes128Gcm;
        var keys = new SrtpKeys(profile, new byte[16], new byte[profile.SaltLength]);
        return new SrtpContext(keys, keys);
    }

    internal readonly record struct Sample(long At, double Link, int Target, long Pacing, long QueueUs, int QueuedBytes, bool Paused);

    internal readonly record struct SentFrame(long At, int Bytes, int Quantizer, bool KeyFrame, bool Refinement);
}
