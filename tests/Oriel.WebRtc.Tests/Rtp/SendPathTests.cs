using System.Diagnostics;
using Oriel.WebRtc.CongestionControl;
using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Rtp;

/// <summary>The way of a packet from frame to ciphertext: allocates nothing. Time is printed, not tested.</summary>
public sealed class SendPathTests
{
    private const int Frames = 400;
    private const int FrameBytes = 20_000;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pump_ManyFrames_AllocatesNothingPerPacket(bool gcm)
    {
        var profile = gcm ? SrtpProfile.AeadAes128Gcm : SrtpProfile.AesCm128HmacSha1Tag80;
        var keys = new SrtpKeys(profile, new byte[16], new byte[profile.SaltLength]);
        using var srtp = new SrtpContext(keys, keys);
        var sender = new VideoSender(
            new VideoParameters
            {
                Codec = VideoCodec.Vp8,
                PayloadType = 96,
                RtxPayloadType = 97,
                Mid = "0",
                Extensions = VideoExtensions.Offered,
            },
            1,
            2,
            srtp,
            new BandwidthEstimator(50_000_000, 100_000, 50_000_000),
            static _ => { }
        );
        var frame = new EncodedVideo(new byte[FrameBytes], 0, true, 1280, 720);
        Send(sender, frame, 0, 20);

        var packets = sender.Counters.PacketsSent;
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var start = Stopwatch.GetTimestamp();
        Send(sender, frame, 20, Frames);
        var elapsed = Stopwatch.GetElapsedTime(start);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        packets = sender.Counters.PacketsSent - packets;

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{profile.Name}: {elapsed.TotalMicroseconds / packets:F2} µs and {(double)allocated / packets:F2} bytes allocated a packet, {packets} packets"
        );
        Assert.True(packets > 7_000);
        Assert.InRange(allocated, 0, packets); // less than a byte each: room for the runtime's own
    }

    private static void Send(VideoSender sender, in EncodedVideo frame, int from, int count)
    {
        for (var i = from; i < from + count; i++)
        {
            var now = i * 33_000L;
            sender.Enqueue(frame with { RtpTimestamp = (uint)(i * 3000) }, now);
            for (var due = sender.Pump(now); due != long.MaxValue; due = sender.Pump(now))
            {
                now = due;
            }

            sender.Trim(now);
        }
    }
}
