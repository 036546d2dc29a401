using System.Threading.Channels;
using Google.Protobuf;
using Oriel.Agent.Screens;
using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Protocol.Display;
using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Capture;

/// <summary>
/// One stream of one codec: a thread that waits for damage, captures, encodes and hands over one frame at a time. While the last
/// frame is unsent it captures nothing; what is drawn meanwhile is in the next one. Hot path; bench/Oriel.Bench.Encode.
/// </summary>
internal sealed class VideoStream : IAsyncDisposable
{
    internal const int MinFps = 1,
        MaxFps = 60,
        MinBitrate = 50_000,
        MaxBitrate = 100_000_000;

    private readonly XDisplayAddress _address;
    private readonly Codec _codec;
    private readonly Poller _poller = new();
    private readonly Channel<VideoFrame> _frames = Channel.CreateBounded<VideoFrame>(
        new BoundedChannelOptions(1) { SingleReader = true, SingleWriter = true }
    );
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly FramePacer _pacer;
    private readonly StreamEncoder _encoder;
    private volatile int _bitrate,
        _maxFps;
    private volatile bool _keyFrameWanted = true,
        _paused,
        _unsent,
        _stopped;
    private uint _sequence;

    internal VideoStream(XDisplayAddress address, Codec codec, int bitrate, int maxFps)
    {
        (_address, _codec) = (address, codec);
        _bitrate = ClampBitrate(bitrate);
        _maxFps = ClampFps(maxFps);
        _pacer = new(_maxFps);
        _encoder = new(codec, _pacer);
        new Thread(Run) { IsBackground = true, Name = $"video {codec}" }.Start();
    }

    /// <summary>Frames as they come; completes with the <see cref="XException"/> if the X server goes.</summary>
    internal ChannelReader<VideoFrame> Frames => _frames.Reader;

    /// <summary>The frame read last has left; the next one may be captured.</summary>
    internal void Sent()
    {
        _unsent = false;
        _poller.Wake();
    }

    internal void SetBitrate(int bitsPerSecond) => _bitrate = ClampBitrate(bitsPerSecond);

    internal void SetMaxFps(int fps)
    {
        _maxFps = ClampFps(fps);
        _poller.Wake();
    }

    internal void SetPaused(bool paused)
    {
        _paused = paused;
        _poller.Wake();
    }

    internal void RequestKeyFrame()
    {
        _keyFrameWanted = true;
        _poller.Wake();
    }

    public async ValueTask DisposeAsync()
    {
        _stopped = true;
        _poller.Wake();
        await _ended.Task;
        _poller.Dispose();
    }

    private static int ClampBitrate(int value) => Math.Clamp(value, MinBitrate, MaxBitrate);

    private static int ClampFps(int value) => Math.Clamp(value, MinFps, MaxFps);

    private void Run()
    {
        try
        {
            using var capture = ScreenCapture.Open(_address.Name, _address.AuthorityPath);
            while (!_stopped)
            {
                Step(capture);
            }

            _frames.Writer.TryComplete();
        }
        catch (Exception e)
        {
            // Whatever ended the stream is reported to its reader.
            _frames.Writer.TryComplete(e);
        }
        finally
        {
            _encoder.Dispose();
            _ended.TrySetResult();
        }
    }

    private void Step(ScreenCapture capture)
    {
        capture.ReadEvents();
        if (_unsent || _paused)
        {
            _poller.Wait(capture.Descriptor, -1, ignoreDescriptor: capture.DamageUs >= 0);
            return;
        }

        _pacer.SetMaxFps(_maxFps);
        var now = MonotonicClock.NowUs;
        var (action, until) = _pacer.Decide(now, capture.DamageUs, _keyFrameWanted);
        switch (action)
        {
            case FrameAction.Wait:
                _poller.Wait(capture.Descriptor, until);
                break;
            case FrameAction.Refine:
                Encode(capture, now, now, keyFrame: false, changed: false);
                break;
            default:
                CaptureAndEncode(capture, now, action == FrameAction.KeyFrame);
                break;
        }
    }

    private void CaptureAndEncode(ScreenCapture capture, long now, bool keyFrame)
    {
        capture.Settle(_poller);
        var damageUs = capture.DamageUs < 0 ? now : capture.DamageUs;
        var changed = (capture.DamageUs >= 0 || capture.Picture is null) && capture.Capture();
        if (!changed && !keyFrame)
        {
            return;
        }

        _pacer.Captured(now);
        Encode(capture, damageUs, MonotonicClock.NowUs, keyFrame, changed);
    }

    private void Encode(ScreenCapture capture, long damageUs, long captureUs, bool keyFrame, bool changed)
    {
        var picture = capture.Picture!;
        if (keyFrame)
        {
            _keyFrameWanted = false;
        }

        var encoded = _encoder.Encode(picture, capture.Changed, captureUs, _bitrate, keyFrame, changed);
        if (encoded.Data.IsEmpty)
        {
            return;
        }

        _unsent = true;
        _frames.Writer.TryWrite(
            new VideoFrame
            {
                Codec = _codec,
                Data = ByteString.CopyFrom(encoded.Data),
                KeyFrame = encoded.KeyFrame,
                Width = (uint)picture.Width,
                Height = (uint)picture.Height,
                DamageUs = damageUs,
                CaptureUs = captureUs,
                EncodedUs = MonotonicClock.NowUs,
                Sequence = ++_sequence,
                Refinement = _encoder.Refinement > 0,
                Quantizer = (uint)encoded.Quantizer,
            }
        );
    }
}
