using System.Buffers.Binary;
using Oriel.WebRtc.CongestionControl;
using Oriel.WebRtc.Rtp;
using Oriel.WebRtc.Srtp;
using Oriel.WebRtc.Tests.Fixtures;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Rtp;

public sealed class PacketizerTests
{
    [Fact]
    public void Vp8_LongFrame_OneStartOneMarkerAllBytes()
    {
        var frame = Enumerable.Range(0, 10_000).Select(i => (byte)i).ToArray();
        var packets = new List<MediaPacket>();

        Vp8Packetizer.Packetize(frame, 1100, 0x1234, packets);

        Assert.Equal(10, packets.Count);
        Assert.All(packets, p => Assert.InRange(p.PayloadLength, 900, 1100));
        Assert.Equal([0x90, 0x80, 0x92, 0x34], Descriptor(packets[0]));
        Assert.Equal([0x80, 0x80, 0x92, 0x34], Descriptor(packets[1]));
        Assert.Equal(packets.Count - 1, packets.FindIndex(p => p.Marker));
        Assert.Equal(frame, packets.SelectMany(p => p.Payload.ToArray()));
    }

    [Fact]
    public void H264_Clip_DepacketizesToTheSameUnits()
    {
        foreach (var frame in VideoClip.Read(VideoCodec.H264))
        {
            var packets = new List<MediaPacket>();
            H264Packetizer.Packetize(frame.Data, 200, packets);

            Assert.All(packets, p => Assert.InRange(p.PayloadLength, 1, 200));
            Assert.Single(packets, p => p.Marker);
            Assert.Equal(Units(frame.Data), Depacketize(packets));
        }
    }

    [Fact]
    public void Sender_FrameThenNack_SendsRtxWithTheOriginalNumber()
    {
        var keys = new SrtpKeys(SrtpProfile.AeadAes128Gcm, new byte[16], new byte[12]);
        using var srtp = new SrtpContext(keys, keys);
        using var receiver = new SrtpContext(keys, keys);
        var sent = new List<byte[]>();
        var sender = Sender(srtp, packet => sent.Add(packet.ToArray()));
        Assert.False(sender.Enqueue(Frame(5_000, isKey: false), 0));
        Assert.True(sender.Enqueue(Frame(5_000, isKey: true), 0));
        Assert.Equal(long.MaxValue, sender.Pump(0));
        var second = BinaryPrimitives.ReadUInt16BigEndian(sent[1].AsSpan(2));
        var count = sent.Count;

        sender.OnNack([second, (ushort)(second + 1000)], 50_000, 40_000);
        sender.Pump(50_000);

        Assert.Equal(count + 1, sent.Count);
        var resent = sent[^1];
        Assert.True(receiver.UnprotectRtp(resent, out var length));
        Assert.True(RtpHeader.TryParse(resent.AsSpan(0, length), out var header));
        Assert.Equal((97, 2u), (header.PayloadType, header.Ssrc));
        Assert.Equal(second, BinaryPrimitives.ReadUInt16BigEndian(resent.AsSpan(header.Length)));
        Assert.Equal(1, sender.Counters.ResendsRefused);
    }

    [Fact]
    public void Sender_SlowLinkAsksForEverything_ResendsAreCapped()
    {
        var keys = new SrtpKeys(SrtpProfile.AeadAes128Gcm, new byte[16], new byte[12]);
        using var srtp = new SrtpContext(keys, keys);
        var sent = new List<byte[]>();
        var sender = Sender(srtp, packet => sent.Add(packet.ToArray()), bitrate: 300_000);
        sender.Enqueue(Frame(100_000, isKey: true), 0);
        var now = 0L;
        for (var due = sender.Pump(now); due != long.MaxValue; due = sender.Pump(now))
        {
            now = due;
        }

        var numbers = sent.Select(p => BinaryPrimitives.ReadUInt16BigEndian(p.AsSpan(2))).ToArray();
        sent.Clear();
        for (var round = 0; round < 50; round++)
        {
            now += 100_000;
            sender.OnNack(numbers, now, 50_000);
            sender.Pump(now);
        }

        // The bucket of 48 KiB, and 30 % of 300 kbit/s over the time that the history is kept.
        Assert.InRange(sent.Sum(p => p.Length), 40_000, 120_000);
        Assert.All(numbers.CountBy(n => n), pair => Assert.Equal(1, pair.Value));
    }

    [Fact]
    public void Sender_KeyFrame_IsSpreadOverThePacingRate()
    {
        var keys = new SrtpKeys(SrtpProfile.AeadAes128Gcm, new byte[16], new byte[12]);
        using var srtp = new SrtpContext(keys, keys);
        var bytes = 0L;
        var sender = Sender(srtp, packet => bytes += packet.Length, bitrate: 1_500_000);
        sender.Enqueue(Frame(200_000, isKey: true), 0);
        sender.Pump(0);

        Assert.InRange(bytes, 10_000, 20_000);
        var now = 0L;
        for (var due = sender.Pump(now); due != long.MaxValue; due = sender.Pump(now))
        {
            now = due;
        }

        Assert.InRange(now, 300_000, 600_000); // 200 kB at 2.5 times 1.5 Mbit/s
    }

    private static VideoSender Sender(SrtpContext srtp, Action<ReadOnlyMemory<byte>> send, int bitrate = 4_000_000) =>
        new(
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
            new BandwidthEstimator(bitrate, 100_000, 12_000_000),
            send
        );

    private static EncodedVideo Frame(int length, bool isKey) => new(new byte[length], 1, isKey, 320, 240);

    private static byte[] Descriptor(MediaPacket packet) =>
        [.. Enumerable.Range(0, packet.PrefixLength).Select(i => (byte)(packet.Prefix >> (8 * i)))];

    private static List<string> Units(ReadOnlyMemory<byte> accessUnit)
    {
        var units = new List<string>();
        var reader = new AnnexBReader(accessUnit.Span);
        while (reader.TryRead(out var at, out var length))
        {
            if ((accessUnit.Span[at] & 0x1F) != 9)
            {
                units.Add(Convert.ToHexString(accessUnit.Span.Slice(at, length)));
            }
        }

        return units;
    }

    private static List<string> Depacketize(List<MediaPacket> packets)
    {
        var units = new List<string>();
        foreach (var packet in packets)
        {
            byte[] bytes = [.. Descriptor(packet), .. packet.Payload.Span];
            switch (bytes[0] & 0x1F)
            {
                case 24:
                    for (var at = 1; at < bytes.Length; )
                    {
                        var length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));
                        units.Add(Convert.ToHexString(bytes, at + 2, length));
                        at += 2 + length;
                    }

                    break;
                case 28:
                    if ((bytes[1] & 0x80) != 0)
                    {
                        units.Add(Convert.ToHexString([(byte)((bytes[0] & 0xE0) | (bytes[1] & 0x1F))]));
                    }

                    units[^1] += Convert.ToHexString(bytes, 2, bytes.Length - 2);
                    break;
                default:
                    units.Add(Convert.ToHexString(bytes));
                    break;
            }
        }

        return units;
    }
}
