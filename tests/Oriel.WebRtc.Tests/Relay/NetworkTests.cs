using System.Diagnostics;
using System.Net;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Tests.Browser;
using Oriel.WebRtc.Tests.Fixtures;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Relay;

/// <summary>
/// Chromium behind a lossy, slow or changing path. Only behaviour is tested, with wide deadlines; the numbers go to the output.
/// </summary>
public sealed class NetworkTests(Chromium chromium) : IClassFixture<Chromium>
{
    private const int KeyFrameBytes = 60_000;
    private static readonly TimeSpan OneWay = TimeSpan.FromMilliseconds(20);

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.02)]
    [InlineData(0.05)]
    public async Task Loss_At40MsRoundTrip_FramesGoOn(double loss)
    {
        await using var path = await OpenAsync(new LinkOptions(loss, 0, OneWay), maxBitrate: 2_500_000);
        await using var player = path.Play();

        await path.Browser.WaitForFramesAsync(300, 90);

        await path.ReportAsync($"loss {loss:P0}");
        Assert.True(path.Peer.GetStats().PacketsResent > 0);
    }

    [Fact]
    public async Task Handshake_At20PercentLoss_Connects()
    {
        await using var path = await OpenAsync(new LinkOptions(0.2, 0, OneWay));
        await using var player = path.Play();

        await path.Browser.WaitForFramesAsync(10, 60);

        await path.ReportAsync("loss 20 %");
    }

    [Fact]
    public async Task Silence_ShortThenLong_ComesBackThenExpires()
    {
        var options = new WebRtcOptions { DisconnectedAfter = TimeSpan.FromSeconds(5), ConsentTimeout = TimeSpan.FromSeconds(15) };
        await using var path = await OpenAsync(new LinkOptions(0, 0, OneWay), options: options);
        await using var player = path.Play();
        await path.Browser.WaitForFramesAsync(30, 60);
        using var states = new System.Collections.Concurrent.BlockingCollection<PeerState>();
        path.Peer.StateChanged += states.Add;

        path.Relay.Up = path.Relay.Up with { Loss = 1 };
        Assert.Equal(PeerState.Disconnected, Take(states));
        path.Relay.Up = path.Relay.Up with { Loss = 0 };
        Assert.Equal(PeerState.Connected, Take(states));
        await path.Browser.WaitForFramesAsync(30, 60);
        path.Relay.Up = path.Relay.Up with { Loss = 1 };

        Assert.Equal(
            CloseReason.ConsentExpired,
            await path.Peer.Closed.WaitAsync(TimeSpan.FromSeconds(90), TestContext.Current.CancellationToken)
        );
    }

    private static PeerState? Take(System.Collections.Concurrent.BlockingCollection<PeerState> states) =>
        states.TryTake(out var state, 60_000, TestContext.Current.CancellationToken) ? state : null;

    [Fact]
    public async Task ThinLink_TargetFallsBelowIt_ThenRisesWithIt()
    {
        await using var path = await OpenAsync(new LinkOptions(0, 1_500_000, OneWay));
        await using var player = path.Play();

        await path.WaitForTargetAsync(target => target < 1_500_000, "below the link's 1.5 Mbit/s");
        for (var i = 0; i < 10; i++)
        {
            await path.Browser.WaitForFramesAsync(30, 60);
            path.Note();
        }

        await path.ReportAsync("1.5 Mbit/s");
        Assert.True(path.Peer.GetStats().TargetBitrate < 1_700_000, path.Peer.GetStats().ToString());

        path.Relay.Down = path.Relay.Down with { BitsPerSecond = 20_000_000 };
        var watch = Stopwatch.StartNew();
        await path.WaitForTargetAsync(target => target > 4_000_000, "above 4 Mbit/s after the link has become 20 Mbit/s");
        await path.ReportAsync($"20 Mbit/s, 4 reached after {watch.Elapsed.TotalSeconds:F1} s");
    }

    private async Task<TestPath> OpenAsync(LinkOptions down, int maxBitrate = 12_000_000, WebRtcOptions? options = null)
    {
        var relay = new UdpRelay(down, new LinkOptions(0, 0, OneWay));
        var endpoint = await WebRtcEndpoint.StartAsync(
            (options ?? new WebRtcOptions()) with
            {
                Listen = new IPEndPoint(IPAddress.Loopback, 0),
                PublicPort = relay.Port,
                Tcp = false,
            },
            TestLogs.Factory,
            TestContext.Current.CancellationToken
        );
        relay.Start(endpoint.Port);
        var browser = await chromium.OpenAsync();
        var peer = endpoint.CreatePeer(new PeerOptions { Codecs = [VideoCodec.Vp8], MaxBitrate = maxBitrate });
        browser.Other = peer;
        await browser.AcceptAnswerAsync(peer.AcceptOffer(await browser.OfferAsync()));
        return new TestPath(relay, endpoint, peer, browser);
    }

    private sealed class TestPath(UdpRelay relay, WebRtcEndpoint endpoint, PeerConnection peer, BrowserPeer browser) : IAsyncDisposable
    {
        private int _isFirst = 1;

        public UdpRelay Relay => relay;
        public PeerConnection Peer => peer;
        public BrowserPeer Browser => browser;

        /// <summary>
        /// Frames of the size that an encoder at the target bitrate would make; a VP8 decoder does not mind zeros behind the last
        /// partition.
        /// </summary>
        public ClipPlayer Play() =>
            new(
                peer,
                30,
                frame =>
                {
                    var size =
                        Interlocked.Exchange(ref _isFirst, 0) == 1
                            ? KeyFrameBytes
                            : Math.Max(frame.Data.Length, peer.GetStats().TargetBitrate / 8 / 30);
                    var data = new byte[Math.Max(size, frame.Data.Length)];
                    frame.Data.CopyTo(data);
                    return frame with { Data = data };
                }
            );

        public void Note() =>
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{DateTime.UtcNow:mm:ss.fff} target {peer.Bandwidth.Target / 1000}, trains {peer.Bandwidth.Capacity / 1000:F0} kbit/s, queue {peer.Bandwidth.StandingQueue / 1000} ms, "
                    + $"trip {peer.Bandwidth.RoundTrip / 1000} ms, waiting {peer.GetStats().QueuedBytes}"
            );

        public async Task WaitForTargetAsync(Func<int, bool> condition, string what)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            void Check(int target)
            {
                Note();
                if (condition(target))
                {
                    reached.TrySetResult();
                }
            }

            peer.TargetBitrateChanged += Check;
            Check(peer.GetStats().TargetBitrate);
            try
            {
                await reached.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            }
            catch (TimeoutException)
            {
                Assert.Fail($"The target was not {what} within 60 s; last seen: {peer.GetStats()}");
            }
            finally
            {
                peer.TargetBitrateChanged -= Check;
            }
        }

        public async Task ReportAsync(string name)
        {
            var inbound = await browser.InboundAsync();
            var (delivered, bytes, dropped) = relay.DownCounts;
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{name}: shown {await browser.FramesAsync()}, freezes {inbound.GetProperty("freezeCount")} of {inbound.GetProperty("totalFreezesDuration")} s in "
                    + $"{inbound.GetProperty("totalInterFrameDelay")} s, relay {delivered} packets {bytes} bytes, dropped {dropped}\n{peer.GetStats()}"
            );
        }

        public async ValueTask DisposeAsync()
        {
            await peer.DisposeAsync();
            await browser.DisposeAsync();
            await endpoint.DisposeAsync();
            await relay.DisposeAsync();
        }
    }
}
