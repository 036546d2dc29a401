using Grpc.Core;
using Oriel.Agent.Capture;
using Oriel.Agent.Clipboard;
using Oriel.Agent.Encoding;
using Oriel.Agent.Input;
using Oriel.Agent.Screens;
using Oriel.Protocol.Display;
using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Clipboard;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Display;

/// <summary>The Display service of display.proto. Every call waits until the X server is there.</summary>
internal sealed partial class DisplayService(
    XDisplay display,
    ScreenMonitor monitor,
    ClipboardMonitor clipboard,
    PointerPosition pointer,
    SharedKeys keys,
    ILogger<DisplayService> logger
) : Protocol.Display.Display.DisplayBase
{
    private const int MaxSide = 16384;

    public override async Task Video(
        IAsyncStreamReader<VideoControl> requestStream,
        IServerStreamWriter<VideoFrame> responseStream,
        ServerCallContext context
    )
    {
        var cancel = context.CancellationToken;
        if (!await requestStream.MoveNext(cancel) || requestStream.Current.Start is not { } start)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be start"));
        }

        if (!VideoEncoders.IsSupported(start.Codec))
        {
            throw new RpcException(new Status(StatusCode.Unimplemented, $"this guest has no encoder for {start.Codec}"));
        }

        var address = await display.Ready.WaitAsync(cancel);
        await using var stream = new VideoStream(
            address,
            start.Codec,
            (int)Math.Min(start.Bitrate, int.MaxValue),
            (int)Math.Min(start.MaxFps, int.MaxValue)
        );
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var controls = ReadControlsAsync(requestStream, stream, ended);
        try
        {
            await SendFramesAsync(stream, responseStream, ended.Token);
        }
        catch (XException e)
        {
            LogServerLost("Video", e);
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The viewer has gone, or has said that it wants no more.
        }
        finally
        {
            await ended.CancelAsync();
            await controls;
        }
    }

    public override async Task<InputSummary> Input(IAsyncStreamReader<InputEvent> requestStream, ServerCallContext context)
    {
        var address = await display.Ready.WaitAsync(context.CancellationToken);
        using var session = new InputSession(address, pointer, keys);
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                session.Apply(requestStream.Current);
            }
        }
        catch (XException e)
        {
            LogServerLost("Input", e);
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The connection broke: what it held down is lifted by Dispose.
        }

        return new InputSummary { Events = session.Events };
    }

    public override async Task Watch(WatchRequest request, IServerStreamWriter<DisplayEvent> responseStream, ServerCallContext context)
    {
        await display.Ready.WaitAsync(context.CancellationToken);
        using var watch = monitor.Watch();
        try
        {
            while (true)
            {
                foreach (var state in await watch.ReadAsync(context.CancellationToken))
                {
                    await responseStream.WriteAsync(state, context.CancellationToken);
                }
            }
        }
        catch (XException e)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }
        catch (OperationCanceledException)
        {
            // The watcher or the agent ends.
        }
    }

    public override async Task<ScreenSize> Resize(ResizeRequest request, ServerCallContext context)
    {
        var address = await display.Ready.WaitAsync(context.CancellationToken);
        if (request.Width is 0 or > MaxSide || request.Height is 0 or > MaxSide)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"a screen of {request.Width}x{request.Height} is not possible"));
        }

        try
        {
            return ScreenMonitor.Convert(XScreenSize.Resize(address.Name, address.AuthorityPath, (int)request.Width, (int)request.Height));
        }
        catch (XException e)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }
    }

    public override async Task<ClipboardReply> SetClipboard(Protocol.Display.Clipboard request, ServerCallContext context)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(request.Text) > XClipboard.MaxBytes)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"a clipboard text of more than {XClipboard.MaxBytes} bytes"));
        }

        await display.Ready.WaitAsync(context.CancellationToken);
        try
        {
            await clipboard.SetTextAsync(request.Text, context.CancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }

        return new ClipboardReply();
    }

    public override async Task<ScreenshotReply> Screenshot(ScreenshotRequest request, ServerCallContext context)
    {
        var address = await display.Ready.WaitAsync(context.CancellationToken);
        try
        {
            // Off the request's thread: compression takes tens of milliseconds.
            return await Task.Run(() => Screenshots.Take(address, (int)Math.Min(request.MaxWidth, MaxSide)), context.CancellationToken);
        }
        catch (XException e)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, e.Message));
        }
    }

    private static async Task SendFramesAsync(VideoStream stream, IServerStreamWriter<VideoFrame> output, CancellationToken cancel)
    {
        await foreach (var frame in stream.Frames.ReadAllAsync(cancel))
        {
            await output.WriteAsync(frame, cancel);
            stream.Sent();
        }
    }

    private static async Task ReadControlsAsync(
        IAsyncStreamReader<VideoControl> controls,
        VideoStream stream,
        CancellationTokenSource ended
    )
    {
        try
        {
            while (await controls.MoveNext(ended.Token))
            {
                Apply(controls.Current, stream);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
        {
            // The call is over; the frames' side says how.
        }

        await ended.CancelAsync();
    }

    private static void Apply(VideoControl control, VideoStream stream)
    {
        switch (control.KindCase)
        {
            case VideoControl.KindOneofCase.Bitrate:
                stream.SetBitrate((int)Math.Min(control.Bitrate, int.MaxValue));
                break;
            case VideoControl.KindOneofCase.MaxFps:
                stream.SetMaxFps((int)Math.Min(control.MaxFps, int.MaxValue));
                break;
            case VideoControl.KindOneofCase.KeyFrame when control.KeyFrame:
                stream.RequestKeyFrame();
                break;
            case VideoControl.KindOneofCase.Pause:
                stream.SetPaused(control.Pause);
                break;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Call} ends: the X server is lost")]
    private partial void LogServerLost(string call, Exception cause);
}
