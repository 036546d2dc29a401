using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol.Display;

namespace Oriel.Tests.Streaming;

/// <summary>One Video call as the agent's side saw it.</summary>
internal sealed class PlayedVideo(VideoStart start)
{
    public VideoStart Start { get; } = start;

    public ConcurrentQueue<VideoControl> Controls { get; } = new();

    public volatile bool Ended;

    public int KeyFramesAsked => Controls.Count(control => control.KindCase == VideoControl.KindOneofCase.KeyFrame);
}

/// <summary>
/// A second implementation of the Display service that plays recordings: follows start, key frame, pause and frame cap as the agent does,
/// keeps what it is told, and never queues a frame.
/// </summary>
internal sealed class PlayedDisplay : Display.DisplayBase
{
    private readonly ConcurrentDictionary<Guid, Channel<DisplayEvent>> _watchers = new();
    private volatile TaskCompletionSource _change = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConcurrentQueue<PlayedVideo> Videos { get; } = new();

    public ConcurrentQueue<InputEvent> Inputs { get; } = new();

    public ConcurrentQueue<ResizeRequest> Resizes { get; } = new();

    public ConcurrentQueue<string> Clipboards { get; } = new();

    /// <summary>Told to each watcher at once; none unless given.</summary>
    public IReadOnlyList<Window> Windows { get; init; } = [];

    public int Watches;

    public int InputCallsEnded;

    public IEnumerable<PlayedVideo> Live => Videos.Where(video => !video.Ended);

    /// <summary>Waits until the condition holds; looks again whenever anything reaches the service.</summary>
    public async Task UntilAsync(Func<bool> condition, string what)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(30));
        while (true)
        {
            var change = _change.Task;
            if (condition())
            {
                return;
            }

            try
            {
                await change.WaitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail(
                    $"{what}: {Videos.Count} video calls ({Live.Count()} live), {Inputs.Count} inputs: {string.Join(" ", Inputs.TakeLast(10))}"
                );
            }
        }
    }

    public void Push(DisplayEvent change)
    {
        foreach (var watcher in _watchers.Values)
        {
            watcher.Writer.TryWrite(change);
        }
    }

    public override async Task Video(
        IAsyncStreamReader<VideoControl> requests,
        IServerStreamWriter<VideoFrame> responses,
        ServerCallContext context
    )
    {
        Assert.True(await requests.MoveNext(context.CancellationToken));
        var video = new PlayedVideo(requests.Current.Start);
        Videos.Enqueue(video);
        Changed();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var playing = PlayAsync(video, responses, ended.Token);
        try
        {
            while (await requests.MoveNext(ended.Token))
            {
                video.Controls.Enqueue(requests.Current);
                Changed();
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The server has ended the call.
        }
        finally
        {
            await ended.CancelAsync();
            await playing;
            video.Ended = true;
            Changed();
        }
    }

    public override async Task<InputSummary> Input(IAsyncStreamReader<InputEvent> requests, ServerCallContext context)
    {
        ulong events = 0;
        try
        {
            while (await requests.MoveNext(context.CancellationToken))
            {
                events++;
                Inputs.Enqueue(requests.Current);
                Changed();
            }
        }
        finally
        {
            Interlocked.Increment(ref InputCallsEnded);
            Changed();
        }

        return new InputSummary { Events = events };
    }

    public override Task<ScreenshotReply> Screenshot(ScreenshotRequest request, ServerCallContext context) =>
        Task.FromResult(new ScreenshotReply { Png = ByteString.CopyFromUtf8("played") });

    public override async Task Watch(WatchRequest request, IServerStreamWriter<DisplayEvent> responses, ServerCallContext context)
    {
        Interlocked.Increment(ref Watches);
        var id = Guid.NewGuid();
        var channel = _watchers[id] = Channel.CreateUnbounded<DisplayEvent>();
        channel.Writer.TryWrite(
            new DisplayEvent
            {
                Size = new ScreenSize
                {
                    Width = Recording.Width,
                    Height = Recording.Height,
                    MaxWidth = 3840,
                    MaxHeight = 2160,
                },
            }
        );
        channel.Writer.TryWrite(
            new DisplayEvent
            {
                Cursor = new Cursor
                {
                    Serial = 1,
                    Width = 1,
                    Height = 1,
                    Png = ByteString.CopyFrom(1, 2, 3),
                },
            }
        );
        if (Windows.Count > 0)
        {
            channel.Writer.TryWrite(new DisplayEvent { Windows = new WindowList { Windows = { Windows } } });
        }

        Changed();
        try
        {
            await foreach (var change in channel.Reader.ReadAllAsync(context.CancellationToken))
            {
                await responses.WriteAsync(change, context.CancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The server has ended the call.
        }
        finally
        {
            _watchers.TryRemove(id, out _);
        }
    }

    public override Task<ScreenSize> Resize(ResizeRequest request, ServerCallContext context)
    {
        Resizes.Enqueue(request);
        Changed();
        return Task.FromResult(new ScreenSize { Width = request.Width, Height = request.Height });
    }

    public override Task<ClipboardReply> SetClipboard(Clipboard request, ServerCallContext context)
    {
        Clipboards.Enqueue(request.Text);
        Changed();
        return Task.FromResult(new ClipboardReply());
    }

    private async Task PlayAsync(PlayedVideo video, IServerStreamWriter<VideoFrame> responses, CancellationToken cancellationToken)
    {
        var recording = video.Start.Codec == Codec.H264 ? Recording.H264 : Recording.Vp8;
        using var clock = new PeriodicTimer(TimeSpan.FromMilliseconds(40));
        var answered = 0;
        uint sequence = 0;
        try
        {
            for (var next = 0; await clock.WaitForNextTickAsync(cancellationToken); )
            {
                var paused = video.Controls.LastOrDefault(control => control.KindCase == VideoControl.KindOneofCase.Pause)?.Pause ?? false;
                if (paused)
                {
                    continue;
                }

                var asked = video.KeyFramesAsked;
                next = asked > answered ? 0 : next % recording.Frames.Count;
                answered = asked;
                var (data, isKey) = recording.Frames[next++];
                var now = Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);
                var frame = new VideoFrame
                {
                    Codec = video.Start.Codec,
                    Data = ByteString.CopyFrom(data),
                    KeyFrame = isKey,
                    Width = Recording.Width,
                    Height = Recording.Height,
                    DamageUs = now - 2000,
                    CaptureUs = now - 1500,
                    EncodedUs = now,
                    Sequence = sequence++,
                };
                await responses.WriteAsync(frame, cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or InvalidOperationException or IOException)
        {
            // The call has ended.
        }
    }

    private void Changed() =>
        Interlocked.Exchange(ref _change, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}
