using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Fixtures;

/// <summary>
/// Sends a clip over and over at a frame rate, and goes to its next key frame when one is asked for, as a live encoder would make one.
/// </summary>
internal sealed class ClipPlayer : IAsyncDisposable
{
    private readonly PeerConnection _peer;
    private readonly IReadOnlyList<EncodedVideo> _frames;
    private readonly Func<EncodedVideo, EncodedVideo> _change;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _playing;
    private int _keyFrameAsked;

    /// <param name="peer">Whom to send to; negotiated.</param>
    /// <param name="framesPerSecond">Default 30.</param>
    /// <param name="change">May change each frame before it is sent, for example make it larger.</param>
    public ClipPlayer(PeerConnection peer, int framesPerSecond = 30, Func<EncodedVideo, EncodedVideo>? change = null)
    {
        _peer = peer;
        _frames = VideoClip.Read(peer.Codec!.Value);
        _change = change ?? (frame => frame);
        peer.KeyFrameRequested += OnKeyFrame;
        _playing = PlayAsync(TimeSpan.FromSeconds(1.0 / framesPerSecond));
    }

    public async ValueTask DisposeAsync()
    {
        _peer.KeyFrameRequested -= OnKeyFrame;
        await _stop.CancelAsync();
        await _playing;
        _stop.Dispose();
    }

    private void OnKeyFrame() => Interlocked.Exchange(ref _keyFrameAsked, 1);

    private async Task PlayAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval);
        var timestamp = 0u;
        var at = 0;
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                if (Interlocked.Exchange(ref _keyFrameAsked, 0) == 1)
                {
                    at = Enumerable.Range(at, _frames.Count).First(i => _frames[i % _frames.Count].IsKeyFrame) % _frames.Count;
                }

                timestamp += (uint)(90_000 * interval.TotalSeconds);
                _peer.SendFrame(_change(_frames[at] with { RtpTimestamp = timestamp }));
                at = (at + 1) % _frames.Count;
            }
        }
        catch (OperationCanceledException)
        {
            // stopped
        }
    }
}
