using Oriel.WebRtc.CongestionControl;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Rtp;
using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Rtp;

/// <summary>What a sender does on a path that loses packets, over a path in memory with its own clock.</summary>
public sealed class LossTests
{
    private const double Wide = 100e6;

    [Fact]
    public void Pump_WidePathWithOnePercentLoss_SendsEachFrameTwice()
    {
        using var path = new Path(Wide, 0.01);
        path.Play(20, 150);
        var (sent, repeated) = (path.Sender.Counters.PacketsSent, path.Sender.Counters.PacketsRepeated);
        path.Play(20, 60);

        sent = path.Sender.Counters.PacketsSent - sent;
        repeated = path.Sender.Counters.PacketsRepeated - repeated;
        Assert.True(
            repeated > sent / 2,
            $"{repeated} of {sent} packets were repeated; loss of late {path.Bandwidth.IsLossy}, capacity {path.Bandwidth.Capacity:F0}"
        );
    }

    [Fact]
    public void Pump_PathWithoutLoss_SendsEachFrameOnce()
    {
        using var path = new Path(Wide, 0);
        path.Play(20, 200);
        Assert.Equal(0, path.Sender.Counters.PacketsRepeated);
    }

    [Fact]
    public void Pump_PathWithLossAndNoRoom_SendsEachFrameOnce()
    {
        // 20 packets of 1,1 kB, 30 times a second: 5.3 of 8 Mbit/s.
        using var path = new Path(8e6, 0.01);
        path.Play(20, 200);
        Assert.InRange(path.Sender.Counters.PacketsRepeated, 0, path.Sender.Counters.PacketsSent / 50);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.02)]
    public void Target_RandomLossUpToTwoPercent_StaysUp(double loss)
    {
        using var path = new Path(Wide, loss);
        path.Play(20, 300);
        Assert.True(path.Bandwidth.Target > 6_000_000, $"target {path.Bandwidth.Target} after 10 s of {loss:P0} loss");
    }

    [Fact]
    public void Target_HeavyLoss_Falls()
    {
        using var path = new Path(Wide, 0.3);
        path.Play(20, 300);
        Assert.True(path.Bandwidth.Target < 3_000_000, $"target {path.Bandwidth.Target} after 10 s of 30 % loss");
    }

    [Fact]
    public void OnNack_AskedAgainAfterARoundTrip_IsSentAgainAndNotBefore()
    {
        using var path = new Path(Wide, 0);
        path.Play(5, 3);
        var lost = path.LastSequence;
        Assert.Equal(1, path.Nack(lost));
        path.Advance(10_000);
        Assert.Equal(0, path.Nack(lost));
        path.Advance(40_000);
        Assert.Equal(1, path.Nack(lost));
    }

    [Fact]
    public void OnNack_LossyPath_IsSentTwice()
    {
        using var path = new Path(8e6, 0.02);
        path.Play(20, 100);
        path.Advance(100_000);
        Assert.True(path.Bandwidth.IsLossy);
        Assert.Equal(2, path.Nack(path.LastSequence));
    }

    [Fact]
    public void Pump_AnyPacket_CarriesPlayoutDelayZero()
    {
        using var path = new Path(Wide, 0);
        path.Play(5, 2);
        path.Nack(path.LastSequence);
        Assert.True(path.PlayoutDelays.Count > 10);
        Assert.All(path.PlayoutDelays, delay => Assert.Equal("000000", delay));
    }

    [Fact]
    public void Backlog_ThinPath_IsTrueWhileFramesWaitAndFalseBeforeTheyHaveLeft()
    {
        var backlog = new Backlog();
        Assert.False(backlog.Update(90_000, 1_500_000));
        Assert.True(backlog.Update(95_000, 1_500_000));
        Assert.True(backlog.IsLong);
        Assert.False(backlog.Update(10_000, 1_500_000));
        Assert.True(backlog.Update(9_000, 1_500_000));
        Assert.False(backlog.IsLong);
    }

    /// <summary>A sender whose packets pass a link of some rate, 20 ms each way; feedback comes once a frame.</summary>
    private sealed class Path : IDisposable
    {
        private const long OneWay = 20_000,
            Interval = 33_333,
            RoundTrip = 2 * OneWay;
        private readonly SrtpContext _srtp;
        private readonly double _rate;
        private readonly double _loss;
        private readonly Random _random = new(7);
        private readonly List<Arrival> _underWay = [];
        private ushort _transportSequence;
        private long _now = 1_000_000;
        private long _freeAt;

        public Path(double bitsPerSecond, double loss)
        {
            (_rate, _loss) = (bitsPerSecond, loss);
            var keys = new SrtpKeys(SrtpProfile.AeadAes128Gcm, new byte[16], new byte[SrtpProfile.AeadAes128Gcm.SaltLength]);
            _srtp = new SrtpContext(keys, keys);
            var parameters = new VideoParameters
            {
                Codec = VideoCodec.Vp8,
                PayloadType = 96,
                RtxPayloadType = 97,
                Mid = "0",
                Extensions = VideoExtensions.Offered,
                TransportFeedback = true,
            };
            Bandwidth = new BandwidthEstimator(6_000_000, 150_000, 20_000_000);
            Sender = new VideoSender(parameters, 1, 2, _srtp, Bandwidth, OnPacket);
        }

        public BandwidthEstimator Bandwidth { get; }

        public VideoSender Sender { get; }

        public ushort LastSequence { get; private set; }

        /// <summary>The extension's three bytes in each packet, in hexadecimal: two times 12 bits, the least and the most delay.</summary>
        public List<string> PlayoutDelays { get; } = [];

        public void Play(int packets, int frames)
        {
            for (var i = 0; i < frames; i++)
            {
                Sender.Enqueue(new EncodedVideo(new byte[packets * 1100], (uint)(_now * 9 / 100), i == 0, 1280, 720), _now);
                Advance(Interval);
            }
        }

        public void Advance(long microseconds)
        {
            var until = _now + microseconds;
            while (Sender.Pump(_now) is var due && due < until)
            {
                _now = due;
            }

            _now = until;
            // Feedback on what was sent before the last round trip; a lost packet is told with the next one that came.
            var told = _underWay.FindAll(arrival => arrival.Microseconds + OneWay <= _now);
            if (told.Exists(arrival => arrival.Received))
            {
                _underWay.RemoveAll(told.Contains);
                Bandwidth.OnFeedback(told, _now);
            }

            Sender.Trim(_now);
        }

        /// <summary>Asks for a packet again; returns how many were sent for it.</summary>
        public long Nack(ushort sequence)
        {
            var before = Sender.Counters.PacketsResent;
            Sender.OnNack([sequence], _now, RoundTrip);
            while (Sender.Pump(_now) is var due && due - _now < 5_000)
            {
                _now = due;
            }

            return Sender.Counters.PacketsResent - before;
        }

        public void Dispose() => _srtp.Dispose();

        private void OnPacket(ReadOnlyMemory<byte> packet)
        {
            Assert.True(RtpHeader.TryParse(packet.Span, out var header));
            PlayoutDelays.Add(Convert.ToHexString(header.FindExtension(packet.Span, VideoExtensions.Offered.PlayoutDelay)));
            LastSequence = header.Ssrc == 1 ? header.Sequence : LastSequence;
            _freeAt = Math.Max(_freeAt, _now) + (long)(packet.Length * 8e6 / _rate);
            _underWay.Add(new Arrival(++_transportSequence, _random.NextDouble() >= _loss, _freeAt + OneWay));
        }
    }
}
