using System.Text.Json;
using Microsoft.Playwright;
using Oriel.WebRtc.Peers;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>A page with one RTCPeerConnection that shows video and counts what it sees.</summary>
public sealed class BrowserPeer(IPage page) : IAsyncDisposable
{
    internal const string Script = """
        () => {
          window.frames_ = 0; window.messages = [];
          const video = document.getElementById('v');
          const count = (now, meta) => { window.frames_++; window.lastSize = [meta.width, meta.height]; video.requestVideoFrameCallback(count); };
          video.requestVideoFrameCallback(count);
          window.start = (channels) => {
            const pc = window.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
            window.channels = {};
            for (const [label, init] of Object.entries(channels ?? {})) {
              const dc = pc.createDataChannel(label, init);
              dc.binaryType = 'arraybuffer';
              dc.onmessage = e => window.messages.push([label, typeof e.data === 'string' ? e.data : 'bytes:' + e.data.byteLength]);
              window.channels[label] = dc;
            }
            pc.ontrack = e => { video.srcObject = e.streams[0] ?? new MediaStream([e.track]); };
          };
          window.offer = async (channels) => {
            window.start(channels);
            pc.addTransceiver('video', { direction: 'recvonly' });
            await pc.setLocalDescription();
            return pc.localDescription.sdp;
          };
          window.answerTo = async (sdp) => {
            window.start({});
            await pc.setRemoteDescription({ type: 'offer', sdp });
            await pc.setLocalDescription();
            return pc.localDescription.sdp;
          };
          window.inbound = async () => {
            const stats = await pc.getStats(); let r = {};
            stats.forEach(s => { if (s.type === 'inbound-rtp' && s.kind === 'video') r = { ...r, ...s, codecId: undefined, mime: stats.get(s.codecId)?.mimeType };
              if (s.type === 'transport') r.dtls = [s.dtlsState, s.srtpCipher, s.tlsVersion, s.selectedCandidatePairChanges]; 
              if (s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded') r.pair = stats.get(s.remoteCandidateId)?.protocol; });
            return JSON.stringify(r);
          };
        }
        """;

    public IPage Page => page;

    /// <summary>The other end, for what a time-out says.</summary>
    public PeerConnection? Other { get; set; }

    /// <summary>A recvonly offer, as WHEP's; <paramref name="channels"/> is a JavaScript object of label to RTCDataChannelInit.</summary>
    public Task<string> OfferAsync(string channels = "undefined") => page.EvaluateAsync<string>($"() => window.offer({channels})");

    public Task AcceptAnswerAsync(string sdp) => page.EvaluateAsync("sdp => pc.setRemoteDescription({ type: 'answer', sdp })", sdp);

    public Task<string> AnswerToAsync(string offer) => page.EvaluateAsync<string>("sdp => window.answerTo(sdp)", offer);

    public Task<int> FramesAsync() => page.EvaluateAsync<int>("() => window.frames_");

    public async Task<JsonElement> InboundAsync() =>
        JsonDocument.Parse(await page.EvaluateAsync<string>("() => window.inbound()")).RootElement;

    /// <summary>Waits until <paramref name="more"/> further frames were shown; on time-out says what was last seen.</summary>
    public async Task WaitForFramesAsync(int more, int seconds = 30)
    {
        var goal = await FramesAsync() + more;
        await WaitAsync($"window.frames_ >= {goal}", seconds);
    }

    /// <summary>Waits for a JavaScript condition.</summary>
    public async Task WaitAsync(string condition, int seconds = 30)
    {
        try
        {
            await page.WaitForFunctionAsync(
                $"() => {condition}",
                null,
                new PageWaitForFunctionOptions { Timeout = seconds * 1000, PollingInterval = 50 }
            );
        }
        catch (TimeoutException)
        {
            var state = await page.EvaluateAsync<string>(
                "() => `${pc.connectionState}/${pc.iceConnectionState}, frames shown ${window.frames_}, messages ${JSON.stringify(window.messages)}`"
            );
            Assert.Fail($"{condition} did not become true in {seconds} s; last seen: {state}; {await InboundAsync()}; {Other?.GetStats()}");
        }
    }

    public async ValueTask DisposeAsync() => await page.CloseAsync();
}
