using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Oriel.Tests.Shared;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Tests.Fixtures;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>Debian's Firefox ESR. VP8 only: its H.264 is a plug-in that it would download.</summary>
public sealed class FirefoxTests
{
    [Fact]
    public async Task Video_Vp8_FramesAreShown()
    {
        await using var firefox = await DebianFirefox.StartAsync();
        await using var endpoint = await WebRtcEndpoint.StartAsync(
            new WebRtcOptions { Listen = new IPEndPoint(IPAddress.Any, 0) },
            TestLogs.Factory,
            TestContext.Current.CancellationToken
        );
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        await firefox.EvaluateAsync(
            $"document.body.innerHTML = '<video id=v autoplay muted playsinline></video>'; ({BrowserPeer.Script})()"
        );

        var offer = await firefox.EvaluateAsync("window.offer({ input: {} })");
        TestContext.Current.TestOutputHelper!.WriteLine(offer);
        var answer = peer.AcceptOffer(offer);
        await firefox.EvaluateAsync(
            $"pc.setRemoteDescription({{ type: 'answer', sdp: {JsonSerializer.Serialize(answer)} }}).then(() => '')"
        );
        await using var player = new ClipPlayer(peer);

        var watch = Stopwatch.StartNew();
        var seen = "";
        while (!int.TryParse(seen = await firefox.EvaluateAsync("String(window.frames_)"), out var frames) || frames < 60)
        {
            Assert.True(
                watch.Elapsed < TimeSpan.FromSeconds(60),
                $"60 frames were not shown in 60 s; last seen: {seen}, {await firefox.EvaluateAsync("pc.connectionState")}, {peer.GetStats()}"
            );
            await firefox.EvaluateAsync("new Promise(done => setTimeout(() => done(''), 100))");
        }

        TestContext.Current.TestOutputHelper!.WriteLine(peer.GetStats().ToString());
        Assert.Equal("udp", peer.GetStats().Transport);
    }
}
