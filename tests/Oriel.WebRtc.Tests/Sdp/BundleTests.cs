using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Sdp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Sdp;

/// <summary>Offers whose sections share one transport (RFC 9143), written as RFC 9725's example is: only the first has its lines.</summary>
public sealed class BundleTests
{
    private const string Head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    private const string Transport =
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=setup:actpass\r\na=rtcp-mux\r\na=fingerprint:sha-256 ";
    private const string Audio =
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=mid:0\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n";
    private const string Video = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=bundle-only\r\na=recvonly\r\na=rtpmap:96 VP8/90000\r\n";
    private const string Data = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\na=bundle-only\r\na=sctp-port:5000\r\n";
    private static readonly string Lines = Transport + string.Join(':', Enumerable.Repeat("AB", 32)) + "\r\n";

    [Fact]
    public void ReadOffer_Rfc9725Example_TakesTransportFromTheTaggedSection()
    {
        var agreed = Read(Head + "a=group:BUNDLE 0 1 2\r\n" + Audio + Lines + Video + Data);

        Assert.Equal(("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"), (agreed.RemoteIce.Ufrag, agreed.RemoteIce.Password));
        Assert.Equal(("1", "2"), (agreed.Video!.Mid, agreed.Data!.Mid));
    }

    [Theory]
    [InlineData("a=group:BUNDLE 0\r\n")]
    [InlineData("")]
    public void ReadOffer_OutsideTheBundle_NeedsItsOwnTransport(string group) =>
        Assert.Throws<SdpException>(() => Read(Head + group + Audio + Lines + Video));

    [Fact]
    public void Answer_AudioFirst_StaysInactiveAndTagsTheBundle()
    {
        var answer = Answer(Head + "a=group:BUNDLE 0 1 2\r\n" + Audio + Lines + Video + Data);

        Assert.Equal("BUNDLE 0 1 2", answer.Find("group"));
        Assert.Equal([9, 9, 9], answer.Media.Select(media => media.Port));
        var audio = answer.Media[0];
        Assert.True(audio.Has("inactive") && audio.Has("rtcp-mux") && audio.Has("ice-ufrag") && audio.Has("candidate"));
        Assert.Equal(["111"], audio.Formats);
        Assert.Equal("111 opus/48000/2", audio.Find("rtpmap"));
        Assert.Equal("111 minptime=10", audio.Find("fmtp"));
        Assert.Equal(("passive", "0"), (audio.Find("setup"), audio.Find("mid")));
        Assert.True(answer.Media[1].Has("sendonly") && !answer.Media[1].Has("candidate"));
    }

    [Fact]
    public void Answer_UnusedSectionBehindTheTag_IsRefused()
    {
        var audio = Audio.Replace("a=mid:0", "a=mid:3", StringComparison.Ordinal);
        var video = Video
            .Replace("video 0", "video 9", StringComparison.Ordinal)
            .Replace("a=bundle-only\r\n", "", StringComparison.Ordinal);
        var answer = Answer(Head + "a=group:BUNDLE 1 3 2\r\n" + audio + video + Lines + Data);

        Assert.Equal("BUNDLE 1 2", answer.Find("group"));
        Assert.Equal([0, 9, 9], answer.Media.Select(media => media.Port));
        Assert.True(answer.Media[1].Has("candidate"));
    }

    private static Negotiated Read(string offer) => SdpNegotiator.ReadOffer(SdpDocument.Parse(offer), [VideoCodec.Vp8]);

    private static SdpDocument Answer(string offer)
    {
        var document = SdpDocument.Parse(offer);
        var local = new LocalDescription(1, IceCredentials.Create(), "AB", ["candidate:1 1 udp 1 192.0.2.1 1 typ host"], 1, 2, 65536);
        return SdpDocument.Parse(SdpWriter.Answer(local, document, Read(offer)));
    }
}
