using System.Text;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Sdp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Sdp;

/// <summary>Real offers of browsers (tests/fuzz-seeds/sdp) and what cannot work.</summary>
public sealed class SdpTests
{
    private static readonly VideoCodec[] Both = [VideoCodec.Vp8, VideoCodec.H264];
    private static readonly string Chromium = Seed("v=0\r\no=- 866");

    [Fact]
    public void ReadOffer_Chromium_Vp8WithAllFeedback()
    {
        var video = Read(Chromium, Both).Video!;

        Assert.Equal((VideoCodec.Vp8, (byte)96, (byte?)97), (video.Codec, video.PayloadType, video.RtxPayloadType));
        Assert.Equal(new VideoExtensions(2, 4, 9, 5), video.Extensions);
        Assert.True(video is { Nack: true, Pli: true, Fir: true, Remb: true, TransportFeedback: true });
    }

    [Fact]
    public void ReadOffer_Firefox_TakesTheBundleOnlyDataSection()
    {
        var offer = SdpDocument.Parse(Seed("v=0\r\no=mozilla"));
        var agreed = SdpNegotiator.ReadOffer(offer, Both);
        var answer = SdpDocument.Parse(SdpWriter.Answer(Local(), offer, agreed));

        Assert.Equal(VideoCodec.Vp8, agreed.Video!.Codec);
        Assert.Equal(0, offer.Media[1].Port);
        Assert.Equal((ushort)5000, agreed.Data!.SctpPort);
        Assert.Equal(9, answer.Media[1].Port);
        Assert.Equal("BUNDLE 0 1", answer.Find("group"));
    }

    [Fact]
    public void ReadOffer_ChromiumH264_TakesConstrainedBaselineInMode1()
    {
        var video = Read(Chromium, [VideoCodec.H264]).Video!;

        Assert.Equal((VideoCodec.H264, (byte)108, (byte?)109), (video.Codec, video.PayloadType, video.RtxPayloadType));
        Assert.Contains("packetization-mode=1;profile-level-id=42e01f", video.Format, StringComparison.Ordinal);
    }

    [Fact]
    public void Answer_Chromium_IsTheMirrorOfTheOffer()
    {
        var offer = SdpDocument.Parse(Chromium);
        var agreed = SdpNegotiator.ReadOffer(offer, Both);
        var answer = SdpDocument.Parse(SdpWriter.Answer(Local(), offer, agreed));

        var video = Assert.Single(answer.Media);
        Assert.Equal(["96", "97"], video.Formats);
        Assert.Equal("BUNDLE 0", answer.Find("group"));
        Assert.True(answer.Has("ice-lite"));
        Assert.True(video.Has("sendonly") && video.Has("rtcp-mux") && video.Has("rtcp-rsize") && video.Has("end-of-candidates"));
        Assert.Equal("passive", video.Find("setup"));
        Assert.Equal("1 cname:1", video.Find("ssrc"));
    }

    [Fact]
    public void Answer_OfferWithAudio_RefusesOnlyTheAudio()
    {
        var audio =
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=rtcp-mux\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n";
        var text = Chromium
            .Replace("a=group:BUNDLE 0", "a=group:BUNDLE 0 a", StringComparison.Ordinal)
            .Replace("m=video", audio + "m=video", StringComparison.Ordinal);
        var offer = SdpDocument.Parse(text);
        var answer = SdpDocument.Parse(SdpWriter.Answer(Local(), offer, SdpNegotiator.ReadOffer(offer, Both)));

        Assert.Equal(2, answer.Media.Count);
        Assert.Equal(0, answer.Media[0].Port);
        Assert.Equal(9, answer.Media[1].Port);
        Assert.Equal("BUNDLE 0", answer.Find("group"));
    }

    [Fact]
    public void ReadAnswer_ToOwnOffer_IsUnderstood()
    {
        var offer = SdpWriter.Offer(Local(), Both);
        var answer = offer
            .Replace("a=setup:actpass", "a=setup:active", StringComparison.Ordinal)
            .Replace("a=sendonly", "a=recvonly", StringComparison.Ordinal);

        var agreed = SdpNegotiator.ReadAnswer(SdpDocument.Parse(answer), Both);

        Assert.Equal(VideoCodec.Vp8, agreed.Video!.Codec);
        Assert.Equal((ushort)5000, agreed.Data!.SctpPort);
    }

    [Theory]
    [InlineData("v=0", "x=0", "does not begin with v=0")]
    [InlineData("a=recvonly", "a=sendonly", "does not receive")]
    [InlineData("a=setup:actpass", "a=setup:passive", "DTLS server")]
    [InlineData("a=rtcp-mux\r\n", "", "rtcp-mux")]
    [InlineData("a=fingerprint:sha-256", "a=fingerprint:sha-1", "fingerprint")]
    [InlineData("a=ice-ufrag:7Xze", "a=ice-ufrag:7", "ice-ufrag")]
    [InlineData("a=ice-pwd:", "a=x:", "ICE credentials")]
    [InlineData("UDP/TLS/RTP/SAVPF", "RTP/AVP", "UDP/TLS/RTP/SAVPF")]
    [InlineData("VP8/90000", "VP7/90000", "No video codec in common")]
    [InlineData("m=video 9", "m=video nine", "malformed m-line")]
    [InlineData("m=video 9", "m=video 0", "neither a video section nor")]
    [InlineData("a=mid:0", "a=mid:a-very-long-name-indeed", "a=mid")]
    [InlineData("s=-", "\u0001s", "malformed")]
    public void ReadOffer_WhatCannotWork_IsRefusedWithTheReason(string from, string to, string reason)
    {
        var text = Chromium.Replace(from, to, StringComparison.Ordinal);

        var refused = Assert.Throws<SdpException>(() => Read(text, [VideoCodec.Vp8]));

        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_TooLong_IsRefused() =>
        Assert.Contains(
            "longer",
            Assert.Throws<SdpException>(() => SdpDocument.Parse("v=0\r\n" + new string('a', SdpDocument.MaxLength))).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Fragment_Rfc8840_GivesCredentials()
    {
        var fragment = SdpDocument.ParseFragment(Encoding.UTF8.GetString(Fuzzer.Seeds("sdp-fragment")[1]));

        var ice = SdpNegotiator.FindIce(fragment, fragment.Media[0]);

        Assert.Equal(("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"), (ice!.Ufrag, ice.Password));
    }

    [Fact]
    public void Candidates_DualStack_UdpBeforeTcpAndIpv6First()
    {
        var lines = IceCandidates
            .Create(true, true, [System.Net.IPAddress.Parse("192.0.2.1"), System.Net.IPAddress.Parse("2001:db8::1")], 4001)
            .ToList();

        Assert.Equal(4, lines.Count);
        Assert.EndsWith("192.0.2.1 4001 typ host tcptype passive", lines[1], StringComparison.Ordinal);
        var byPriority = lines.OrderByDescending(line => uint.Parse(line.Split(' ')[3])).ToList();
        Assert.Contains("2001:db8::1", byPriority[0], StringComparison.Ordinal);
        Assert.Contains(" tcp ", byPriority[2], StringComparison.Ordinal);
        Assert.Equal(4, lines.Select(line => line.Split(' ')[3]).Distinct().Count());
    }

    private static Negotiated Read(string sdp, IReadOnlyList<VideoCodec> codecs) => SdpNegotiator.ReadOffer(SdpDocument.Parse(sdp), codecs);

    private static LocalDescription Local() =>
        new(
            1,
            IceCredentials.Create(),
            string.Join(':', Enumerable.Repeat("AB", 32)),
            ["candidate:1 1 udp 1 192.0.2.1 1 typ host"],
            1,
            2,
            262_144
        );

    private static string Seed(string begins) =>
        Fuzzer.Seeds("sdp").Select(Encoding.UTF8.GetString).First(text => text.StartsWith(begins, StringComparison.Ordinal));
}
