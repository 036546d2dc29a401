using Grpc.Core;
using Oriel.Protocol.Display;
using Oriel.Screen.Native;
using Oriel.TestSupport;

namespace Oriel.Linux.Tests.Display;

public sealed class VideoTests
{
    [Theory]
    [InlineData(Codec.Vp8)]
    [InlineData(Codec.H264)]
    public async Task Video_ColourPattern_DecodesToItsColours(Codec codec)
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var painter = PaintColors(server);
        await using var viewer = await VideoViewer.StartAsync(host, codec);
        var (frame, picture) = await viewer.ReadAsync();

        Assert.True(frame.KeyFrame);
        Assert.Equal((640, 480), (picture!.Width, picture.Height));
        Assert.True(frame.DamageUs <= frame.CaptureUs && frame.CaptureUs <= frame.EncodedUs);
        for (var i = 0; i < Colors.Length; i++)
        {
            AssertColor(Colors[i], picture.ReadColor(i * 128 + 64, 240));
        }
    }

    [Theory]
    [InlineData(Codec.Vp8)]
    [InlineData(Codec.H264)]
    public async Task Video_SmallBox_GivesSmallFrameWithItsColour(Codec codec)
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var painter = PaintColors(server);
        await using var viewer = await VideoViewer.StartAsync(host, codec);
        var (first, _) = await viewer.ReadAsync();
        painter.Fill(new(33, 65, 40, 40), 0x123456);
        var (box, picture) = await viewer.ReadUntilAsync(frame => !frame.Refinement && frame.Sequence > first.Sequence);

        Assert.False(box.KeyFrame);
        Assert.True(box.Data.Length < 4000, $"{box.Data.Length} bytes for a box of 40x40");
        AssertColor(0x123456, picture!.ReadColor(53, 85));
        AssertColor(Colors[0], picture.ReadColor(20, 300));
    }

    [Theory]
    [InlineData(Codec.Vp8)]
    [InlineData(Codec.H264)]
    public async Task Video_StillScreen_IsRefinedAndThenSilentUntilAKeyFrameIsAsked(Codec codec)
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var painter = PaintColors(server);
        PaintNoise(painter);
        await using var viewer = await VideoViewer.StartAsync(host, codec, bitrate: 400_000);
        var (first, coarse) = await viewer.ReadAsync();
        var frames = await viewer.ReadUntilSilentAsync(TimeSpan.FromSeconds(4));

        Assert.True(frames.Count is > 0 and < 30, $"{frames.Count} frames of a still screen");
        Assert.All(frames, frame => Assert.True(frame.Refinement));
        Assert.True(frames[^1].Quantizer < first.Quantizer, $"quantizer {first.Quantizer} first, {frames[^1].Quantizer} last");
        Assert.NotNull(coarse);
        await viewer.RequestKeyFrameAsync();
        var (asked, picture) = await viewer.ReadAsync();
        Assert.True(asked.KeyFrame);
        AssertColor(Colors[4], picture!.ReadColor(4 * 128 + 64, 400));
    }

    [Theory]
    [InlineData(Codec.Vp8)]
    [InlineData(Codec.H264)]
    public async Task Video_ScreenResized_GoesOnWithAKeyFrameOfTheNewSize(Codec codec)
    {
        await using var server = await XServer.StartAsync(1280, 720);
        await using var host = await DisplayHost.StartAsync(server.Address);
        await using var viewer = await VideoViewer.StartAsync(host, codec);
        await viewer.ReadAsync();
        var size = await host.Client.ResizeAsync(
            new ResizeRequest { Width = 801, Height = 601 },
            deadline: DateTime.UtcNow.AddSeconds(30),
            cancellationToken: TestContext.Current.CancellationToken
        );
        var (frame, picture) = await viewer.ReadUntilAsync(frame => frame.Width == 800);

        Assert.Equal((800u, 600u, 1280u, 720u), (size.Width, size.Height, size.MaxWidth, size.MaxHeight));
        Assert.True(frame.KeyFrame);
        Assert.Equal((800, 600), (picture!.Width, picture.Height));
    }

    [Fact]
    public async Task Video_BitrateChanged_KeepsTheStreamWithoutKeyFrame()
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var painter = PaintColors(server);
        await using var viewer = await VideoViewer.StartAsync(host, Codec.Vp8);
        var (first, _) = await viewer.ReadAsync();
        await viewer.SendAsync(new VideoControl { Bitrate = 300_000 });
        painter.Fill(new(0, 0, 640, 480), 0x808080);
        var (next, picture) = await viewer.ReadUntilAsync(frame => frame.Sequence > first.Sequence);

        Assert.False(next.KeyFrame);
        AssertColor(0x808080, picture!.ReadColor(100, 100));
    }

    [Fact]
    public async Task Video_Paused_SendsNothingUntilResumed()
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var painter = PaintColors(server);
        await using var viewer = await VideoViewer.StartAsync(host, Codec.Vp8);
        await viewer.ReadAsync();
        await viewer.ReadUntilSilentAsync(TimeSpan.FromSeconds(2));
        await viewer.SendAsync(new VideoControl { Pause = true });
        // Frames that were on their way when the pause came may arrive still; then no more.
        var silent = false;
        for (uint color = 1; !silent && color < 10; color++)
        {
            painter.Fill(new(0, 0, 640, 480), color);
            silent = (await viewer.ReadUntilSilentAsync(TimeSpan.FromSeconds(1))).Count == 0;
        }

        Assert.True(silent);
        painter.Fill(new(0, 0, 640, 480), 0x406080);
        await viewer.RequestKeyFrameAsync();
        await viewer.SendAsync(new VideoControl { Pause = false });
        var (frame, picture) = await viewer.ReadAsync();

        Assert.True(frame.KeyFrame);
        AssertColor(0x406080, picture!.ReadColor(300, 200));
    }

    [Fact]
    public async Task Video_ServerKilled_EndsUnavailableAndTheAgentLivesOn()
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        await using var viewer = await VideoViewer.StartAsync(host, Codec.Vp8);
        await viewer.ReadAsync();
        server.Kill();

        var error = await Assert.ThrowsAsync<RpcException>(async () => await viewer.ReadUntilAsync(_ => false));
        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
        error = await Assert.ThrowsAsync<RpcException>(async () =>
            await host.Client.ScreenshotAsync(new ScreenshotRequest(), cancellationToken: TestContext.Current.CancellationToken)
        );
        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
    }

    [Fact]
    public async Task Video_FirstMessageIsNotStart_IsRefused()
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var call = host.Client.Video(
            deadline: DateTime.UtcNow.AddSeconds(30),
            cancellationToken: TestContext.Current.CancellationToken
        );
        await call.RequestStream.WriteAsync(new VideoControl { KeyFrame = true }, TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<RpcException>(async () =>
            await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken)
        );
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
    }

    private static readonly uint[] Colors = [0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF, 0xFFC040];

    private static XPainter PaintColors(XServer server)
    {
        var painter = new XPainter(server.Address.Name, server.Address.AuthorityPath, 640, 480);
        for (var i = 0; i < Colors.Length; i++)
        {
            painter.Fill(new(i * 128, 0, 128, 480), Colors[i]);
        }

        painter.Sync();
        return painter;
    }

    // Something that costs bits, so that the first frame at a low rate is coarse.
    private static void PaintNoise(XPainter painter)
    {
        var random = new Random(1);
        for (var i = 0; i < 3000; i++)
        {
            painter.Fill(new(random.Next(500), random.Next(300), 9, 3), (uint)random.Next(0x1000000));
        }

        painter.Sync();
    }

    internal static void AssertColor(uint expected, (byte Red, byte Green, byte Blue) found)
    {
        var distance =
            Math.Abs((int)(expected >> 16) - found.Red)
            + Math.Abs((int)(expected >> 8 & 255) - found.Green)
            + Math.Abs((int)(expected & 255) - found.Blue);
        Assert.True(distance < 60, $"expected {expected:X6}, found {found}");
    }
}

/// <summary>A viewer of one Video call that decodes every frame, as a page would.</summary>
internal sealed class VideoViewer : IAsyncDisposable
{
    private readonly AsyncDuplexStreamingCall<VideoControl, VideoFrame> _call;
    private readonly IVideoDecoder _decoder;
    private readonly CancellationTokenSource _deadline = CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken
    );
    private Task<bool>? _next;
    private string _last = "nothing";

    private VideoViewer(DisplayHost host, Codec codec)
    {
        _deadline.CancelAfter(TimeSpan.FromSeconds(90));
        _call = host.Client.Video(cancellationToken: _deadline.Token);
        _decoder = codec == Codec.Vp8 ? new Vp8Decoder() : new OpenH264Decoder();
    }

    internal static async Task<VideoViewer> StartAsync(DisplayHost host, Codec codec, uint bitrate = 8_000_000, uint maxFps = 30)
    {
        if (codec == Codec.H264 && !NativeLibraries.IsAvailable(NativeLibraries.OpenH264))
        {
            Assert.Skip("libopenh264 is not installed");
        }

        var viewer = new VideoViewer(host, codec);
        await viewer.SendAsync(
            new VideoControl
            {
                Start = new VideoStart
                {
                    Codec = codec,
                    Bitrate = bitrate,
                    MaxFps = maxFps,
                },
            }
        );
        return viewer;
    }

    internal Task SendAsync(VideoControl control) => _call.RequestStream.WriteAsync(control, _deadline.Token);

    internal Task RequestKeyFrameAsync() => SendAsync(new VideoControl { KeyFrame = true });

    internal async Task<(VideoFrame Frame, DecodedPicture? Picture)> ReadAsync() => await ReadUntilAsync(_ => true);

    internal async Task<(VideoFrame Frame, DecodedPicture? Picture)> ReadUntilAsync(Func<VideoFrame, bool> wanted)
    {
        while (true)
        {
            var next = _next ?? _call.ResponseStream.MoveNext(_deadline.Token);
            _next = null;
            Assert.True(await next, $"the stream ended; last seen: {_last}");
            var frame = _call.ResponseStream.Current;
            _last =
                $"frame {frame.Sequence}, {frame.Width}x{frame.Height}, key {frame.KeyFrame}, refinement {frame.Refinement}, quantizer {frame.Quantizer}, {frame.Data.Length} bytes";
            var picture = _decoder.Decode(frame.Data.Span);
            if (wanted(frame))
            {
                return (frame, picture);
            }
        }
    }

    /// <summary>All frames until none has come for as long as <paramref name="silence"/>.</summary>
    internal async Task<List<VideoFrame>> ReadUntilSilentAsync(TimeSpan silence)
    {
        var frames = new List<VideoFrame>();
        while (true)
        {
            _next ??= _call.ResponseStream.MoveNext(_deadline.Token);
            if (await Task.WhenAny(_next, Task.Delay(silence, _deadline.Token)) != _next)
            {
                return frames;
            }

            frames.Add((await ReadAsync()).Frame);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _deadline.CancelAsync();
        _call.Dispose();
        _decoder.Dispose();
        _deadline.Dispose();
    }
}
