using System.Text;
using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Rtp;
using Oriel.WebRtc.Sdp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Fuzz;

/// <summary>Every parser of bytes from outside, used as the code uses it.</summary>
public sealed class ParserFuzzTests
{
    private static readonly byte[] Key = "VOkJxbRl1RmTxUk/WvJxBt"u8.ToArray();

    [Fact]
    public void Stun_Mutated_NeverThrows()
    {
        var agent = new IceAgent();
        var response = new byte[512];
        Fuzzer.Run(
            "stun",
            input =>
            {
                Demultiplexer.Classify(input);
                Demultiplexer.LocalUfrag(input);
                agent.Answer(input, new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 1), response, out _);
                Parse(input);
                var repaired = input.ToArray();
                RepairStun(repaired);
                Parse(repaired);
                agent.Answer(repaired, new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 1), response, out _);
            }
        );

        static void Parse(ReadOnlySpan<byte> input)
        {
            if (StunMessage.TryParse(input, out var message))
            {
                message.VerifyIntegrity(Key);
            }
        }
    }

    /// <summary>Makes length, cookie and fingerprint right again, so that a mutation is not stopped at the door.</summary>
    private static void RepairStun(Span<byte> message)
    {
        if (message.Length < 28)
        {
            return;
        }

        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(message[2..], (ushort)(message.Length - 20));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(message[4..], StunMessage.MagicCookie);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(message[^8..], 0x8028_0004);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(message[^4..], StunMessage.Fingerprint(message[..^8]));
    }

    [Fact]
    public void Rtp_Mutated_NeverThrows() =>
        Fuzzer.Run(
            "rtp",
            input =>
            {
                if (RtpHeader.TryParse(input, out var header))
                {
                    for (var id = 1; id < 15; id++)
                    {
                        header.FindExtension(input, id);
                    }
                }
            }
        );

    [Fact]
    public void Rtcp_Mutated_NeverThrows()
    {
        var lost = new ushort[1024];
        var arrivals = new List<Arrival>();
        Fuzzer.Run(
            "rtcp",
            input =>
            {
                var reader = new RtcpReader(input);
                while (reader.TryRead(out var packet))
                {
                    for (var i = 0; ReportBlock.TryRead(packet, i, out _); i++) { }

                    Feedback.MediaSsrc(packet);
                    Feedback.ReadNack(packet, lost);
                    Feedback.FirNames(packet, 2);
                    Feedback.TryReadRemb(packet, out _);
                    arrivals.Clear();
                    TransportFeedback.TryRead(packet, arrivals);
                }
            }
        );
    }

    [Fact]
    public void TransportFeedback_Mutated_IsBounded()
    {
        var arrivals = new List<Arrival>();
        Fuzzer.Run(
            "transport-feedback",
            input =>
            {
                arrivals.Clear();
                TransportFeedback.TryRead(new RtcpPacket(RtcpType.TransportFeedback, Feedback.TransportWide, input), arrivals);
                Assert.InRange(arrivals.Count, 0, 8192);
            }
        );
    }

    [Fact]
    public void Sdp_Mutated_IsTakenOrRefusedPlainly() =>
        Fuzzer.Run(
            "sdp",
            input =>
            {
                var text = Encoding.Latin1.GetString(input);
                try
                {
                    var document = SdpDocument.Parse(text);
                    var agreed = SdpNegotiator.ReadOffer(document, [VideoCodec.Vp8, VideoCodec.H264]);
                    SdpWriter.Answer(new LocalDescription(1, IceCredentials.Create(), "AB", [], 1, 2, 3), document, agreed);
                }
                catch (SdpException)
                {
                    // refused
                }

                try
                {
                    SdpNegotiator.ReadAnswer(SdpDocument.Parse(text), [VideoCodec.Vp8, VideoCodec.H264]);
                }
                catch (SdpException)
                {
                    // refused
                }
            },
            iterations: 4_000
        );

    [Fact]
    public void SdpFragment_Mutated_IsTakenOrRefusedPlainly() =>
        Fuzzer.Run(
            "sdp-fragment",
            input =>
            {
                try
                {
                    var fragment = SdpDocument.ParseFragment(Encoding.Latin1.GetString(input));
                    SdpNegotiator.ReadFragment(fragment);
                }
                catch (SdpException)
                {
                    // refused
                }
            }
        );

    [Fact]
    public void DtlsRecord_Mutated_NeverThrows() =>
        Fuzzer.Run(
            "dtls-record",
            input =>
            {
                DtlsRecord.IsPlausible(input);
                DtlsRecord.IsClientHello(input);
            }
        );

    [Fact]
    public void TcpFraming_Mutated_NeverThrows() =>
        Fuzzer.Run(
            "tcp-framing",
            input =>
            {
                var at = 0;
                while (TcpFraming.TryRead(input[at..], out var frame) == FrameResult.Frame)
                {
                    at += TcpFraming.HeaderLength + frame.Length;
                }
            }
        );

    [Fact]
    public void AnnexB_Mutated_PacketsFit()
    {
        var packets = new List<MediaPacket>();
        Fuzzer.Run(
            "annexb",
            input =>
            {
                packets.Clear();
                H264Packetizer.Packetize(input.ToArray(), 100, packets);
                Assert.All(packets, packet => Assert.InRange(packet.PayloadLength, 1, 100));
            }
        );
    }
}
