using System.Runtime.InteropServices;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Page;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming.Picture;

/// <summary>Encoder settings that suit all viewers of one codec.</summary>
internal readonly record struct FeedSettings(int Bitrate, int MaxFps, bool Paused);

/// <summary>
/// One encoder: the Video call for one codec. Its frames go to every viewer of that codec as they arrive. Nothing is queued here; a viewer
/// that cannot take a frame drops it and asks for a key frame.
/// </summary>
internal sealed class VideoFeed : IAsyncDisposable
{
    private readonly FeedContext _context;
    private readonly Codec _codec;
    private readonly CancellationTokenSource _stop = new();
    private readonly Wake _changed = new();
    private readonly Lock _lock = new();
    private readonly RtpClock _rtp = new();
    private readonly FrameTimings _timings = new();
    private readonly KeyValuePair<string, object?> _tag;
    private readonly Task _run;
    private volatile Viewer[] _viewers = [];
    private FeedSettings _wanted;
    private bool _keyFrameWanted;
    private long _keyFrameAskedAt;

    public VideoFeed(FeedContext context, Codec codec, FeedSettings settings)
    {
        _context = context;
        _codec = codec;
        _wanted = settings;
        _tag = new("codec", codec == Codec.H264 ? "h264" : "vp8");
        _run = Task.Run(() => FeedCall.RunAsync(context, "Video", ReadAsync, _stop.Token));
    }

    /// <summary>The clock's timestamp since which no viewer uses it; 0 while one does.</summary>
    public long IdleSince { get; set; }

    public FeedSettings Settings
    {
        get
        {
            lock (_lock)
            {
                return _wanted;
            }
        }
    }

    public void SetViewers(Viewer[] viewers) => _viewers = viewers;

    public void Apply(FeedSettings settings)
    {
        lock (_lock)
        {
            _wanted = settings;
        }

        _changed.Set();
    }

    /// <summary>Asks for a key frame, immediately or once the interval since the last request has passed.</summary>
    public void RequestKeyFrame()
    {
        lock (_lock)
        {
            _keyFrameWanted = true;
        }

        _changed.Set();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private async Task ReadAsync(AgentConnection agent, Action works, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = agent.Display.Video(cancellationToken: ended.Token);
        var controls = WriteControlsAsync(call.RequestStream, ended.Token);
        try
        {
            await foreach (var frame in call.ResponseStream.ReadFairlyAsync(ended.Token))
            {
                works();
                Deliver(frame);
            }
        }
        finally
        {
            await ended.CancelAsync();
            await controls;
        }
    }

    private void Deliver(VideoFrame frame)
    {
        if (frame.KeyFrame)
        {
            lock (_lock)
            {
                _keyFrameWanted = false;
            }

            _context.Metrics.KeyFrames.Add(1, _tag);
        }

        var rtp = _rtp.Convert(frame.CaptureUs);
        var video = new EncodedVideo(Bytes(frame.Data), rtp, frame.KeyFrame, (int)frame.Width, (int)frame.Height);
        var viewers = _viewers;
        foreach (var viewer in viewers)
        {
            viewer.Offer(video, frame.CaptureUs);
        }

        _context.Metrics.Frames.Add(1, _tag);
        _context.Metrics.Bytes.Add(frame.Data.Length, _tag);
        if (_timings.Sample(frame, rtp, FrameTimings.NowUs) is { } sample)
        {
            var message = ServerMessages.Write(sample, StreamingJsonContext.Default.FrameMessage);
            foreach (var viewer in viewers)
            {
                viewer.SendControl(message);
            }
        }
    }

    /// <summary>The frame's own array if there is one; nobody changes it afterwards.</summary>
    private static ReadOnlyMemory<byte> Bytes(ByteString data) =>
        MemoryMarshal.TryGetArray(data.Memory, out var segment) ? segment : data.ToByteArray();

    /// <summary>The call's only writer: sends the settings that differ from what the agent was last sent.</summary>
    private async Task WriteControlsAsync(IClientStreamWriter<VideoControl> stream, CancellationToken cancellationToken)
    {
        try
        {
            var sent = Settings with { Paused = false };
            await stream.WriteAsync(
                new VideoControl
                {
                    Start = new VideoStart
                    {
                        Codec = _codec,
                        Bitrate = (uint)sent.Bitrate,
                        MaxFps = (uint)sent.MaxFps,
                    },
                },
                cancellationToken
            );
            while (true)
            {
                sent = await TellAsync(stream, sent, cancellationToken);
                await WaitAsync(cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException)
        {
            // The call has ended; its reader reports why.
        }
    }

    private async Task<FeedSettings> TellAsync(
        IClientStreamWriter<VideoControl> stream,
        FeedSettings sent,
        CancellationToken cancellationToken
    )
    {
        var wanted = Settings;
        if (wanted.Paused != sent.Paused)
        {
            await stream.WriteAsync(new VideoControl { Pause = wanted.Paused }, cancellationToken);
        }

        if (wanted.Bitrate != sent.Bitrate)
        {
            await stream.WriteAsync(new VideoControl { Bitrate = (uint)wanted.Bitrate }, cancellationToken);
        }

        if (wanted.MaxFps != sent.MaxFps)
        {
            await stream.WriteAsync(new VideoControl { MaxFps = (uint)wanted.MaxFps }, cancellationToken);
        }

        if (!wanted.Paused && TryTakeKeyFrameRequest())
        {
            _context.Metrics.KeyFramesAsked.Add(1, _tag);
            await stream.WriteAsync(new VideoControl { KeyFrame = true }, cancellationToken);
        }

        return wanted;
    }

    private bool TryTakeKeyFrameRequest()
    {
        lock (_lock)
        {
            if (!_keyFrameWanted || KeyFrameWait() > TimeSpan.Zero)
            {
                return false;
            }

            _keyFrameWanted = false;
            _keyFrameAskedAt = _context.Clock.GetTimestamp();
            return true;
        }
    }

    private TimeSpan KeyFrameWait() =>
        _keyFrameAskedAt == 0 ? TimeSpan.Zero : _context.Options.KeyFrameInterval - _context.Clock.GetElapsedTime(_keyFrameAskedAt);

    /// <summary>Waits until something changes or a postponed key frame is due.</summary>
    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        TimeSpan? due;
        lock (_lock)
        {
            due = _keyFrameWanted && !_wanted.Paused ? KeyFrameWait() : null;
        }

        await _changed.WaitAsync(due, _context.Clock, cancellationToken);
    }
}
