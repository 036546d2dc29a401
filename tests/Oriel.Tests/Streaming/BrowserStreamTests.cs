using Oriel.Protocol.Display;

namespace Oriel.Tests.Streaming;

public sealed class BrowserStreamTests(BrowserFixture browser) : IClassFixture<BrowserFixture>
{
    [Theory]
    [InlineData("vp8", "whep")]
    [InlineData("h264", "whep")]
    [InlineData("vp8", "json")]
    [InlineData("", "whep")]
    public async Task Watch_Codec_ShowsThePicture(string codec, string shape)
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync(codec, shape);
        await page.PictureAsync();
        await page.UntilAsync(
            "oriel.control.some(m => m.t === 'hello') && oriel.control.some(m => m.t === 'size') && oriel.control.some(m => m.t === 'cursor')"
        );
        var hello = (await page.ControlAsync("hello"))[0];
        Assert.Equal(codec.Length > 0 ? codec : "h264", hello.GetProperty("codec").GetString());
        Assert.Equal(server.Agent.Desktop.ToString(), hello.GetProperty("desktop").GetString());
        await page.UntilAsync("oriel.control.some(m => m.t === 'frame')");
        var frame = (await page.ControlAsync("frame"))[0];
        Assert.Equal(500, frame.GetProperty("captureUs").GetInt64());
        Assert.Equal(1500, frame.GetProperty("encodeUs").GetInt64());
        Assert.InRange(frame.GetProperty("sendUs").GetInt64(), 0, 2_000_000);
    }

    /// <summary>The plain order, video first, is the one of the other tests.</summary>
    [Theory]
    [InlineData("balanced", "audio")]
    [InlineData("balanced", "data")]
    [InlineData("max-bundle", "audio")]
    [InlineData("max-bundle", "data")]
    [InlineData("max-compat", "audio")]
    [InlineData("max-compat", "data")]
    public async Task Watch_BundlePolicyAndOrderOfSections_ShowsThePictureAndOpensTheChannels(string bundlePolicy, string first)
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchByWhepAsync(bundlePolicy, first);
        await page.PictureAsync();
        await page.UntilAsync("oriel.control.some(m => m.t === 'hello')");
    }

    /// <summary>RFC 7675 section 5.2, by DTLS: long before the page's own checks would find nobody there.</summary>
    [Fact]
    public async Task Watch_ViewerDeleted_RevokesConsent()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync("vp8");
        await page.PictureAsync();
        using var deleted = await server.Http.DeleteAsync(await page.LocationAsync(), TestContext.Current.CancellationToken);
        await page.UntilAsync("oriel.pc.sctp.transport.state === 'closed'");
    }

    [Fact]
    public async Task Watch_ServersOffer_ShowsThePicture()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchOfferedAsync();
        await page.PictureAsync();
        Assert.Equal(Codec.H264, server.Agent.Display.Videos.Single().Start.Codec);
    }

    [Fact]
    public async Task Watch_SecondViewerAndReload_ShareOneEncoderCall()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var first = await browser.OpenAsync(server);
        await first.WatchAsync("vp8");
        await first.PictureAsync();
        await using var second = await browser.OpenAsync(server);
        await second.WatchAsync("vp8");
        await second.PictureAsync();
        await first.PictureAsync();
        Assert.Equal(2, server.Agent.Viewers);
        await second.Page.ReloadAsync();
        await second.WatchAsync("vp8");
        await second.PictureAsync();
        Assert.Single(server.Agent.Display.Videos);
        Assert.Equal(1, server.Agent.Display.Watches);
    }

    [Fact]
    public async Task Watch_ReloadOfTheOnlyViewer_KeepsTheEncoderAndShowsThePictureAgain()
    {
        await using var server = await StreamingServer.StartAsync(options => options with { Grace = TimeSpan.FromSeconds(20) });
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync("vp8");
        await page.PictureAsync();
        await server.Http.DeleteAsync(await page.LocationAsync(), TestContext.Current.CancellationToken);
        await page.Page.ReloadAsync();
        await page.WatchAsync("vp8");
        await page.PictureAsync();
        Assert.Single(server.Agent.Display.Videos);
    }

    [Fact]
    public async Task Watch_TwoCodecs_MakeTwoCalls()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var first = await browser.OpenAsync(server);
        await first.WatchAsync("vp8");
        await using var second = await browser.OpenAsync(server);
        await second.WatchAsync("h264");
        await first.PictureAsync();
        await second.PictureAsync();
        Assert.Equal([Codec.Vp8, Codec.H264], server.Agent.Display.Videos.Select(video => video.Start.Codec).Order());
    }

    [Fact]
    public async Task Watch_AgentLinkBreaks_PictureComesBackWithoutNegotiation()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync("vp8");
        await page.PictureAsync();
        await server.Agent.BreakAsync();
        await server.Agent.ListenAsync();
        await server.Agent.Display.UntilAsync(() => server.Agent.Display.Videos.Count == 2, "a second call");
        await page.PictureAsync();
        Assert.Equal("connected", await page.Page.EvaluateAsync<string>("() => oriel.pc.connectionState"));
    }

    [Fact]
    public async Task Input_OverDataChannels_ReachesTheServiceInOrder()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync("vp8");
        await page.UntilAsync("oriel.input.readyState === 'open' && oriel.pointer.readyState === 'open'");
        await page.Page.EvaluateAsync(
            """
            () => {
              const move = (sequence, x, y) => { const b = new DataView(new ArrayBuffer(8)); b.setUint32(0, sequence); b.setUint16(4, x); b.setUint16(6, y); oriel.pointer.send(b.buffer); };
              move(5, 10, 20); move(4, 99, 99);
            }
            """
        );
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.Inputs.Count == 1, "the move");
        await page.Page.EvaluateAsync(
            """
            () => {
              for (let i = 0; i < 200; i++) oriel.input.send(JSON.stringify({ t: 'key', code: 'Key' + i, key: 'k', down: i % 2 === 0 }));
              oriel.input.send('nonsense');
              oriel.input.send(JSON.stringify({ t: 'text', text: '日本' }));
            }
            """
        );
        await display.UntilAsync(() => display.Inputs.Count >= 202, "202 events");
        var inputs = display.Inputs.ToArray();
        Assert.Equal((10, 20), (inputs[0].Move.X, inputs[0].Move.Y));
        Assert.Equal(Enumerable.Range(0, 200).Select(i => "Key" + i), inputs[1..201].Select(input => input.Key.Code));
        Assert.Equal("日本", inputs[201].Text);
        await page.Page.CloseAsync();
    }

    [Fact]
    public async Task Input_ViewerDeleted_IsReleased()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync("vp8");
        await page.PictureAsync();
        var reply = await server.Http.DeleteAsync(await page.LocationAsync(), TestContext.Current.CancellationToken);
        Assert.Equal(System.Net.HttpStatusCode.OK, reply.StatusCode);
        var display = server.Agent.Display;
        await display.UntilAsync(() => display.InputCallsEnded == 1 && display.Inputs.LastOrDefault()?.ReleaseAll == true, "release");
        await display.UntilAsync(() => !display.Live.Any(), "the encoder ends after the grace");
    }

    [Fact]
    public async Task KeyFrames_ManyRequests_AreThrottled()
    {
        await using var server = await StreamingServer.StartAsync(options => options with { KeyFrameInterval = TimeSpan.FromSeconds(60) });
        await using var page = await browser.OpenAsync(server);
        await page.WatchAsync("vp8");
        await page.PictureAsync();
        await page.UntilAsync("oriel.channel.readyState === 'open'");
        for (var i = 0; i < 20; i++)
        {
            await page.Page.EvaluateAsync(
                "() => { for (const v of [false, true]) oriel.channel.send(JSON.stringify({ t: 'visible', visible: v })); }"
            );
        }

        await page.Page.EvaluateAsync("() => oriel.channel.send(JSON.stringify({ t: 'ping', id: 1 }))");
        await page.UntilAsync("oriel.control.some(m => m.t === 'pong')");
        Assert.InRange(server.Agent.Display.Videos.Single().KeyFramesAsked, 0, 1);
    }

    [Fact]
    public async Task Control_CursorClipboardAndPosition_ReachTheViewersTheyConcern()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var mover = await browser.OpenAsync(server);
        await using var watcher = await browser.OpenAsync(server);
        await mover.WatchAsync("vp8");
        await watcher.WatchAsync("vp8");
        await mover.UntilAsync("oriel.control.some(m => m.t === 'cursor')");
        await watcher.UntilAsync("oriel.control.some(m => m.t === 'cursor')");
        await mover.UntilAsync("oriel.pointer.readyState === 'open'");
        await mover.Page.EvaluateAsync("() => oriel.pointer.send(new Uint8Array([0, 0, 0, 1, 0, 5, 0, 5]).buffer)");
        await server.Agent.Display.UntilAsync(() => !server.Agent.Display.Inputs.IsEmpty, "the move");
        server.Agent.Display.Push(
            new DisplayEvent
            {
                Position = new CursorPosition { X = 5, Y = 5 },
            }
        );
        server.Agent.Display.Push(new DisplayEvent { Clipboard = new Clipboard { Text = "copied" } });
        await watcher.UntilAsync(
            "oriel.control.some(m => m.t === 'position') && oriel.control.some(m => m.t === 'clipboard' && m.text === 'copied')"
        );
        await mover.UntilAsync("oriel.control.some(m => m.t === 'clipboard')");
        await mover.Page.EvaluateAsync("() => oriel.channel.send(JSON.stringify({ t: 'clipboard', text: 'pasted' }))");
        await watcher.UntilAsync("oriel.control.some(m => m.t === 'clipboard' && m.text === 'pasted')");
        Assert.Equal("AQID", (await watcher.ControlAsync("cursor"))[0].GetProperty("png").GetString());
    }
}
