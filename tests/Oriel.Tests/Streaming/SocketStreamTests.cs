using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Oriel.Protocol.Display;

namespace Oriel.Tests.Streaming;

public sealed class SocketStreamTests
{
    [Fact]
    public async Task Stream_NewViewer_GetsHelloAndAKeyFrameFirst()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        var hello = await page.NextTextAsync("hello");
        Assert.Equal("h264", hello.GetProperty("codec").GetString());
        Assert.Equal(server.Agent.Desktop.ToString(), hello.GetProperty("desktop").GetString());
        var (header, data) = await page.NextFrameAsync();
        Assert.Equal(1, header[0]);
        Assert.Equal(1, header[1] & 1);
        Assert.Equal(Recording.Width, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(2)));
        Assert.Equal(Recording.Height, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(4)));
        Assert.Equal(Recording.H264.Frames[0].Data, data);
        Assert.Equal(1, server.Agent.Viewers);
    }

    [Fact]
    public async Task Stream_WithoutAcknowledgements_StopsAfterTwoFramesAndGoesOnWithAKeyFrame()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        var first = await page.NextFrameAsync();
        var second = await page.NextFrameAsync();
        var before = server.Agent.Display.Live.Single().KeyFramesAsked;
        await page.SendAsync("""{"c":"control","m":{"t":"ping","id":7}}""");
        var pong = await page.NextTextAsync("pong");
        Assert.Equal(7, pong.GetProperty("id").GetInt64());

        // Frames go on being encoded; none may come before an acknowledgement.
        await server.Agent.Display.UntilAsync(() => server.Agent.Display.Videos.Single() is { Ended: false }, "the encoder runs");
        await page.SendAsync("""{"c":"control","m":{"t":"ping","id":8}}""");
        await page.NextTextAsync("pong");
        Assert.Equal(0, page.FramesWaiting);
        await page.AcknowledgeAsync(second.Header);
        var third = await page.NextFrameAsync();
        if (!third.Data.AsSpan().SequenceEqual(Recording.H264.Frames[2].Data))
        {
            Assert.Equal(1, third.Header[1] & 1);
            Assert.True(server.Agent.Display.Live.Single().KeyFramesAsked >= before);
        }

        Assert.Equal(1, first.Header[1] & 1);
    }

    [Fact]
    public async Task Stream_Input_ReachesTheAgentInOrder()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await page.NextTextAsync("hello");
        await page.SendAsync("""{"c":"pointer","m":{"x":10,"y":20}}""");
        await page.SendAsync("""{"c":"input","m":{"t":"button","x":10,"y":20,"button":0,"down":true}}""");
        await page.SendAsync("""{"c":"input","m":{"t":"key","code":"KeyA","key":"a","down":true}}""");
        await page.SendAsync("""{"c":"input","m":{"t":"wheel","x":1,"y":2,"dx":0,"dy":-120}}""");
        await page.SendAsync("""{"c":"input","m":{"t":"text","text":"grüße 日本"}}""");
        await page.SendAsync("""{"c":"input","m":{"t":"release"}}""");
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.Inputs.Count >= 6, "six events");
        Assert.Equal(["Move", "Button", "Key", "Wheel", "Text", "ReleaseAll"], display.Inputs.Select(input => input.KindCase.ToString()));
        var inputs = display.Inputs.ToArray();
        Assert.Equal("KeyA", inputs[2].Key.Code);
        Assert.Equal(-120, inputs[3].Wheel.Dy);
        Assert.Equal("grüße 日本", inputs[4].Text);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("""{"c":"input"}""")]
    [InlineData("""{"c":"input","m":{"t":"key","code":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","key":"a","down":true}}""")]
    [InlineData("""{"c":"input","m":{"t":"button","x":"1","y":2,"button":0,"down":true}}""")]
    [InlineData("""{"c":"input","m":{"t":"button","x":1,"y":2,"button":77,"down":true}}""")]
    [InlineData("""{"c":"control","m":{"t":"resize","width":1e300,"height":-5}}""")]
    [InlineData("""{"c":"control","m":{"t":"fps","max":null}}""")]
    [InlineData("""{"c":"ack","m":{"captureUs":1e99}}""")]
    public async Task Stream_BadMessage_IsIgnoredAndTheStreamGoesOn(string message)
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await page.SendAsync(message);
        await page.SendAsync("""{"c":"control","m":{"t":"ping","id":1}}""");
        await page.NextTextAsync("pong");
        await page.SendAsync("""{"c":"input","m":{"t":"release"}}""");
        await server.Agent.Display.UntilAsync(() => !server.Agent.Display.Inputs.IsEmpty, "release");
        Assert.Single(server.Agent.Display.Inputs);
        Assert.Empty(server.Agent.Display.Resizes);
    }

    [Fact]
    public async Task Stream_ClipboardInPieces_ReachesTheAgentWhole()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        var text = new string('ü', 100_000);
        for (var i = 0; i < text.Length; i += 25_000)
        {
            var more = i + 25_000 < text.Length ? ",\"more\":true" : ",\"id\":7";
            await page.SendAsync($$$"""{"c":"control","m":{"t":"clipboard","text":"{{{text.Substring(i, 25_000)}}}"{{{more}}}}}""");
        }

        // The pong says that a paste key may follow: the agent has the text by then.
        Assert.Equal(7, (await page.NextTextAsync("pong")).GetProperty("id").GetInt64());
        Assert.Equal(text, server.Agent.Display.Clipboards.Single());
    }

    [Fact]
    public async Task Stream_AgentClipboard_ReachesThePageInPieces()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await page.NextTextAsync("cursor");
        var text = string.Concat(Enumerable.Repeat("a😀", 30_000));
        server.Agent.Display.Push(new() { Clipboard = new() { Text = text } });
        var got = new StringBuilder();
        JsonElement piece;
        do
        {
            piece = await page.NextTextAsync("clipboard");
            got.Append(piece.GetProperty("text").GetString());
        } while (piece.TryGetProperty("more", out _));
        Assert.Equal(text, got.ToString());
    }

    [Fact]
    public async Task Stream_PageLeaves_ReleasesInputAndEndsTheEncoderAfterTheGrace()
    {
        await using var server = await StreamingServer.StartAsync();
        using (var page = await SocketPage.ConnectAsync(server))
        {
            await page.NextFrameAsync();
        }

        var display = server.Agent.Display;
        await display.UntilAsync(
            () => display.InputCallsEnded == 1 && display.Inputs.LastOrDefault()?.ReleaseAll == true,
            "release on leaving"
        );
        await display.UntilAsync(() => !display.Live.Any(), "the encoder ends");
        Assert.Equal(0, server.Agent.Viewers);
    }

    [Fact]
    public async Task Stream_AgentLinkBreaksAndComesBack_GoesOnWithoutANewConnection()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await page.AcknowledgeAsync((await page.NextFrameAsync()).Header);
        await server.Agent.BreakAsync();
        await server.Agent.ListenAsync();
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.Videos.Count >= 2 && display.Live.Any(), "a new video call");
        page.AcknowledgeAll();
        (byte[] Header, byte[] Data) frame;
        do
        {
            frame = await page.NextFrameAsync();
        } while ((frame.Header[1] & 1) == 0);
        await page.SendAsync("""{"c":"input","m":{"t":"release"}}""");
        await display.UntilAsync(() => display.Inputs.Any(), "input after the break");
    }

    [Fact]
    public async Task Stream_AllHidden_PausesTheEncoder()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await page.NextFrameAsync();
        await page.SendAsync("""{"c":"control","m":{"t":"visible","visible":false}}""");
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.Live.Single().Controls.Any(control => control.Pause), "pause");
        await page.SendAsync("""{"c":"control","m":{"t":"visible","visible":true}}""");
        await display.UntilAsync(
            () =>
                display
                    .Live.Single()
                    .Controls.Any(control => control is { KindCase: Oriel.Protocol.Display.VideoControl.KindOneofCase.Pause, Pause: false })
                && display.Live.Single().KeyFramesAsked > 0,
            "resume with a key frame"
        );
    }

    [Fact]
    public async Task Stream_DesktopFails_TellsTheReasonAndEnds()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        Assert.Equal("ready", (await page.NextTextAsync("state")).GetProperty("state").GetString());
        server.Agent.Fail();

        // Told to each viewer as it joins, and by the watch as it begins: the present state may come twice.
        var state = await page.NextTextAsync("state");
        while (state.GetProperty("state").GetString() == "ready")
        {
            state = await page.NextTextAsync("state");
        }

        Assert.Equal("failed", state.GetProperty("state").GetString());
        Assert.Equal("guest-exited", state.GetProperty("reason").GetProperty("code").GetString());
        await page.EndAsync();
        await server.Agent.Display.UntilAsync(() => !server.Agent.Display.Live.Any(), "the encoder ends");
    }

    /// <summary>
    /// A page that reads nothing costs the newest of each kind, whatever the guest makes of it: 400 cursors of 256 KB would be 100 MB.
    /// </summary>
    [Fact]
    public async Task Stream_PageThatReadsNothing_GetsTheNewestAlone()
    {
        const int Cursors = 400;
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server, isStalled: true);
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.Watches > 0, "a watch");
        var png = Google.Protobuf.ByteString.CopyFrom(new byte[192 * 1024]);
        for (ulong serial = 1; serial <= Cursors; serial++)
        {
            display.Push(
                new DisplayEvent
                {
                    Cursor = new Cursor
                    {
                        Serial = serial,
                        Width = 16,
                        Height = 16,
                        Png = png,
                    },
                }
            );
        }

        // Behind the last cursor: once the agent's own view has it, all have passed the server.
        display.Push(
            new DisplayEvent
            {
                Size = new ScreenSize { Width = 1111, Height = 777 },
            }
        );
        await display.UntilAsync(() => server.Agent.Size == (1111, 777), "the size behind the cursors");
        page.Read();
        List<ulong> seen = [];
        while (seen.LastOrDefault() != Cursors)
        {
            seen.Add((await page.NextTextAsync("cursor")).GetProperty("serial").GetUInt64());
        }

        Assert.Equal(seen.Order(), seen);
        Assert.True(seen.Count < Cursors / 2, $"{seen.Count} of {Cursors} cursors waited for it");
    }

    [Fact]
    public async Task Stream_FpsAndResize_ReachTheAgent()
    {
        await using var server = await StreamingServer.StartAsync();
        using var page = await SocketPage.ConnectAsync(server);
        await page.NextFrameAsync();
        await page.SendAsync("""{"c":"control","m":{"t":"fps","max":30}}""");
        await page.SendAsync("""{"c":"control","m":{"t":"resize","width":1024,"height":768}}""");
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.Live.Single().Controls.Any(control => control.MaxFps == 30), "frame cap");
        await display.UntilAsync(() => display.Resizes.Any(size => size is { Width: 1024, Height: 768 }), "resize");
    }
}
