using Oriel.WebRtc.Rtcp;

namespace Oriel.WebRtc.Tests.Rtcp;

public sealed class RtcpTests
{
    [Fact]
    public void Compound_ReportNackAndPli_EveryPartIsRead()
    {
        var reader = new RtcpReader(Fuzzer.Seeds("rtcp")[1]);
        Span<ushort> lost = stackalloc ushort[64];

        Assert.True(reader.TryRead(out var report));
        Assert.True(ReportBlock.TryRead(report, 0, out var block));
        Assert.Equal((2u, (byte)5, 1, 100u), (block.Ssrc, block.FractionLost, block.CumulativeLost, block.HighestSequence));
        Assert.False(ReportBlock.TryRead(report, 1, out _));
        Assert.True(reader.TryRead(out var description));
        Assert.Equal(RtcpType.SourceDescription, description.Type);
        Assert.True(reader.TryRead(out var nack));
        Assert.Equal(2u, Feedback.MediaSsrc(nack));
        Assert.Equal(3, Feedback.ReadNack(nack, lost));
        Assert.Equal([1000, 1001, 1016], lost[..3].ToArray());
        Assert.True(reader.TryRead(out var pli));
        Assert.Equal((RtcpType.PayloadFeedback, Feedback.Pli), (pli.Type, pli.Count));
        Assert.False(reader.TryRead(out _));
    }

    [Fact]
    public void Remb_MantissaAndExponent_GiveBitsPerSecond()
    {
        var reader = new RtcpReader(Fuzzer.Seeds("rtcp")[2]);
        reader.TryRead(out _);

        Assert.True(reader.TryRead(out var fir));
        Assert.True(Feedback.FirNames(fir, 2));
        Assert.False(Feedback.FirNames(fir, 3));
        Assert.True(reader.TryRead(out var remb));
        Assert.True(Feedback.TryReadRemb(remb, out var bitrate));
        Assert.Equal(((1L << 16) | 0x8000) << 3, bitrate);
    }

    [Fact]
    public void TransportFeedback_RunLengthAcrossTheWrap_GivesTimes()
    {
        var arrivals = Read(0);

        Assert.Equal(10, arrivals.Count);
        Assert.Equal([65530, 65531, 65532, 65533, 65534, 65535, 0, 1, 2, 3], arrivals.Select(a => (int)a.Sequence));
        Assert.All(arrivals, a => Assert.True(a.Received));
        Assert.Equal((0x000102 * 64_000L) + (45 * 250), arrivals[^1].Microseconds);
    }

    [Fact]
    public void TransportFeedback_VectorsAndLargeDeltas_AreRead()
    {
        var mixed = Read(2);

        Assert.Equal(7, mixed.Count);
        Assert.Equal(2, mixed.Count(a => a.Received));
        Assert.Equal(2, mixed.FindIndex(a => a.Received) - 3);
        Assert.Equal((0x000102 * 64_000L) - (16 * 250), mixed.First(a => a.Received).Microseconds);
        Assert.Equal(21, Read(1).Count);
    }

    [Fact]
    public void SenderReport_Written_ReadsBack()
    {
        var buffer = new byte[128];
        var length = RtcpWriter.SenderReport(buffer, 7, 0x0102030405060708, 90_000, 11, 1200, "oriel"u8);
        var reader = new RtcpReader(buffer.AsSpan(0, length));

        Assert.True(reader.TryRead(out var report));
        Assert.Equal((RtcpType.SenderReport, 24), (report.Type, report.Body.Length));
        Assert.True(reader.TryRead(out var description));
        Assert.Equal((RtcpType.SourceDescription, (byte)1), (description.Type, description.Count));
        Assert.False(reader.TryRead(out _));
    }

    private static List<Arrival> Read(int seed)
    {
        var arrivals = new List<Arrival>();
        Assert.True(
            TransportFeedback.TryRead(
                new RtcpPacket(RtcpType.TransportFeedback, Feedback.TransportWide, Fuzzer.Seeds("transport-feedback")[seed]),
                arrivals
            )
        );
        return arrivals;
    }
}
