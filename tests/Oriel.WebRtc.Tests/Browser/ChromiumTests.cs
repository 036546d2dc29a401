using System.Net;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Tests.Fixtures;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>Debian's Chromium against a real endpoint on loopback.</summary>
public sealed class ChromiumTests(Chromium chromium) : IClassFixture<Chromium>
{
    [Theory]
    [InlineData(VideoCodec.Vp8, true)]
    [InlineData(VideoCodec.Vp8, false)]
    [InlineData(VideoCodec.H264, true)]
    [InlineData(VideoCodec.H264, false)]
    public async Task Video_CodecAndTransport_FramesAreShown(VideoCodec codec, bool overUdp)
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions { Udp = overUdp });
        await using var peer = endpoint.CreatePeer(new PeerOptions { Codecs = [codec] });
        browser.Other = peer;
        await browser.AcceptAnswerAsync(peer.AcceptOffer(await browser.OfferAsync()));
        await using var player = new ClipPlayer(peer);

        await browser.WaitForFramesAsync(60);

        var inbound = await browser.InboundAsync();
        var stats = peer.GetStats();
        TestContext.Current.TestOutputHelper!.WriteLine($"{inbound}\n{stats}");
        Assert.Equal(codec == VideoCodec.Vp8 ? "video/VP8" : "video/H264", inbound.GetProperty("mime").GetString());
        Assert.Equal(overUdp ? "udp" : "tcp", stats.Transport);
        Assert.Equal("AEAD_AES_128_GCM", stats.SrtpProfile);
        Assert.Equal(PeerState.Connected, peer.State);
    }

    private static Task<WebRtcEndpoint> StartAsync(WebRtcOptions options) =>
        WebRtcEndpoint.StartAsync(
            options with
            {
                Listen = new IPEndPoint(IPAddress.Loopback, 0),
            },
            TestLogs.Factory,
            TestContext.Current.CancellationToken
        );
}
