using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Tests.Fixtures;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>Signalling both ways round, ICE restart, data channels and endings, with Debian's Chromium.</summary>
public sealed class ChromiumSessionTests(Chromium chromium) : IClassFixture<Chromium>
{
    [Fact]
    public async Task CreateOffer_AnsweredByTheBrowser_FramesAreShown()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;

        peer.AcceptAnswer(await browser.AnswerToAsync(peer.CreateOffer()));
        await using var player = new ClipPlayer(peer);

        await browser.WaitForFramesAsync(30);
    }

    [Fact]
    public async Task TwoPages_OnOnePort_BothShowFrames()
    {
        await using var first = await chromium.OpenAsync();
        await using var second = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var one = endpoint.CreatePeer(new PeerOptions());
        await using var two = endpoint.CreatePeer(new PeerOptions { Codecs = [VideoCodec.H264] });
        (first.Other, second.Other) = (one, two);
        await first.AcceptAnswerAsync(one.AcceptOffer(await first.OfferAsync()));
        await second.AcceptAnswerAsync(two.AcceptOffer(await second.OfferAsync()));
        await using var playerOne = new ClipPlayer(one);
        await using var playerTwo = new ClipPlayer(two);

        await Task.WhenAll(first.WaitForFramesAsync(30), second.WaitForFramesAsync(30));

        Assert.Equal(2, endpoint.PeerCount);
    }

    [Fact]
    public async Task PatchIce_NewCredentials_FramesGoOnInTheSameDtlsSession()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        var states = new ConcurrentQueue<PeerState>();
        peer.StateChanged += states.Enqueue;
        await browser.AcceptAnswerAsync(peer.AcceptOffer(await browser.OfferAsync()));
        await using var player = new ClipPlayer(peer);
        await browser.WaitForFramesAsync(30);
        var before = peer.GetStats().RemoteAddress;

        // What a WHEP client does: an offer with iceRestart, its fragment by PATCH, and the answer made of the old one with the new
        // credentials.
        var answer = await browser.Page.EvaluateAsync<string>("() => pc.remoteDescription.sdp");
        var offer = await browser.Page.EvaluateAsync<string>(
            "async () => { await pc.setLocalDescription(await pc.createOffer({ iceRestart: true })); return pc.localDescription.sdp; }"
        );
        var fragment = peer.PatchIce(Fragment(offer));
        Assert.NotNull(fragment);
        await browser.AcceptAnswerAsync(Replace(Replace(answer, fragment, "a=ice-ufrag:"), fragment, "a=ice-pwd:"));

        await browser.WaitForFramesAsync(60);
        await browser.WaitAsync("pc.iceConnectionState === 'connected' || pc.iceConnectionState === 'completed'");
        Assert.Equal([PeerState.Connecting, PeerState.Connected], states);
        TestContext.Current.TestOutputHelper!.WriteLine($"{before} -> {peer.GetStats().RemoteAddress}; {await browser.InboundAsync()}");
        Assert.Null(peer.PatchIce(Fragment(offer))); // the same credentials again: nothing new
    }

    [Fact]
    public async Task StillPicture_BrowserAsksAfterThreeSeconds_NoKeyFrameIsRaised()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        await browser.AcceptAnswerAsync(peer.AcceptOffer(await browser.OfferAsync()));
        await using (new ClipPlayer(peer))
        {
            await browser.WaitForFramesAsync(30);
        }

        var (asked, raised) = (peer.GetStats().KeyFramesAsked, 0);
        peer.KeyFrameRequested += () => Interlocked.Increment(ref raised);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (peer.GetStats().KeyFramesAsked == asked)
        {
            Assert.True(await timer.WaitForNextTickAsync(deadline.Token));
        }

        Assert.Equal(0, raised);
    }

    [Fact]
    public async Task Offer_AudioFirst_StillShowsFrames()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        var offer = await browser.Page.EvaluateAsync<string>(
            """
            async () => {
              start({ control: {} });
              pc.addTransceiver('audio', { direction: 'recvonly' });
              pc.addTransceiver('video', { direction: 'recvonly' });
              await pc.setLocalDescription();
              return pc.localDescription.sdp;
            }
            """
        );
        await browser.AcceptAnswerAsync(peer.AcceptOffer(offer));
        await using var player = new ClipPlayer(peer);
        await browser.WaitForFramesAsync(30);
        await browser.WaitAsync("channels.control.readyState === 'open'");
    }

    [Fact]
    public async Task DataChannels_BothWays_MessagesArrive()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        var received = new ConcurrentQueue<string>();
        peer.DataChannelOpened += channel =>
            channel.MessageReceived += (data, isText) =>
            {
                received.Enqueue($"{channel.Label} {(isText ? Encoding.UTF8.GetString(data.Span) : data.Length)}");
                channel.TrySend(data.Span, isText);
            };

        await browser.AcceptAnswerAsync(
            peer.AcceptOffer(await browser.OfferAsync("{ pointer: { ordered: false, maxRetransmits: 0 }, input: {}, control: {} }"))
        );
        await browser.WaitAsync("Object.values(window.channels).every(c => c.readyState === 'open')");
        await browser.Page.EvaluateAsync(
            "() => { channels.pointer.send(new Uint8Array(8)); channels.input.send('key'); channels.control.send('x'.repeat(200000)); channels.control.send(new Uint8Array(65536)); }"
        );

        await browser.WaitAsync("window.messages.length === 4");
        Assert.Equal(4, received.Count);
        Assert.Contains("pointer 8", received);
        Assert.Contains("input key", received);
        Assert.Contains("control 65536", received);
    }

    [Fact]
    public async Task Closed_ByThePage_SaysRemote()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        await browser.AcceptAnswerAsync(peer.AcceptOffer(await browser.OfferAsync("{ input: {} }")));

        // Its last word is the data association's abort, which it has once a channel is open; before, only the consent's end tells.
        await browser.WaitAsync("Object.values(window.channels).every(c => c.readyState === 'open')");
        await browser.Page.EvaluateAsync("() => pc.close()");

        Assert.Equal(CloseReason.Remote, await peer.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.Equal(0, endpoint.PeerCount);
    }

    [Fact]
    public async Task Dispose_OfTheEndpoint_EndsThePeer()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        await browser.AcceptAnswerAsync(peer.AcceptOffer(await browser.OfferAsync("{ input: {} }")));
        await browser.WaitAsync("pc.connectionState === 'connected'");

        await endpoint.DisposeAsync();

        Assert.Equal(CloseReason.EndpointStopped, await peer.Closed);
        await browser.WaitAsync(
            "pc.connectionState === 'closed' || pc.connectionState === 'failed' || pc.connectionState === 'disconnected' || channels.input.readyState === 'closed'"
        );
    }

    [Fact]
    public async Task Fingerprint_OfAnotherCertificate_IsRefused()
    {
        await using var browser = await chromium.OpenAsync();
        await using var endpoint = await StartAsync(new WebRtcOptions());
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        browser.Other = peer;
        var offer = await browser.OfferAsync();
        var at = offer.IndexOf("sha-256 ", StringComparison.Ordinal) + 8;
        var forged = offer[..at] + (offer[at] == '0' ? '1' : '0') + offer[(at + 1)..];

        await browser.AcceptAnswerAsync(peer.AcceptOffer(forged));

        Assert.Equal(CloseReason.DtlsFailed, await peer.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
    }

    private static string Fragment(string sdp) =>
        string.Join("\r\n", sdp.Split("\r\n").Where(line => line.StartsWith("a=ice-", StringComparison.Ordinal)).Distinct()) + "\r\n";

    private static string Replace(string answer, string fragment, string name)
    {
        var line = fragment.Split("\r\n").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return string.Join("\r\n", answer.Split("\r\n").Select(l => l.StartsWith(name, StringComparison.Ordinal) ? line : l));
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
