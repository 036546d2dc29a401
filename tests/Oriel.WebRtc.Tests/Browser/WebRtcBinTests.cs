using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Tests.Fixtures;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>
/// GStreamer's webrtcbin (libnice, OpenSSL, libsrtp) as a peer that shares no code with the browsers: webrtcbin.py beside this file.
/// </summary>
public sealed class WebRtcBinTests
{
    private const string Python = "/usr/bin/python3";

    [Theory]
    [InlineData(VideoCodec.Vp8)]
    [InlineData(VideoCodec.H264)]
    public async Task Video_AnsweredByWebRtcBin_FramesAreDecoded(VideoCodec codec) =>
        await RequireFramesAsync(
            codec,
            [],
            async (peer, process, token) =>
            {
                await process.StandardInput.WriteAsync(peer.CreateOffer());
                process.StandardInput.Close();
                peer.AcceptAnswer(await ReadDescriptionAsync("answer", process.StandardOutput, token));
            }
        );

    [Theory]
    [InlineData(VideoCodec.Vp8, "none", "video")]
    [InlineData(VideoCodec.H264, "none", "audio", "video")]
    [InlineData(VideoCodec.Vp8, "max-compat", "audio", "video", "data")]
    [InlineData(VideoCodec.H264, "max-bundle", "audio", "video", "data")]
    [InlineData(VideoCodec.Vp8, "max-bundle", "video", "audio", "data")]
    public async Task Video_OfferedByWebRtcBin_FramesAreDecoded(VideoCodec codec, string policy, params string[] sections) =>
        await RequireFramesAsync(
            codec,
            ["offer", policy, .. sections],
            async (peer, process, token) =>
            {
                await process.StandardInput.WriteAsync(
                    peer.AcceptOffer(await ReadDescriptionAsync("offer", process.StandardOutput, token))
                );
                process.StandardInput.Close();
            }
        );

    private static async Task RequireFramesAsync(
        VideoCodec codec,
        string[] arguments,
        Func<PeerConnection, Process, CancellationToken, Task> negotiate
    )
    {
        await SkipWithoutGStreamerAsync();
        await using var endpoint = await WebRtcEndpoint.StartAsync(
            new WebRtcOptions { Listen = new IPEndPoint(IPAddress.Any, 0) },
            TestLogs.Factory,
            TestContext.Current.CancellationToken
        );
        await using var peer = endpoint.CreatePeer(new PeerOptions { Codecs = [codec] });
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var process = Start([await WriteScriptAsync(), .. arguments]);
        try
        {
            await negotiate(peer, process, deadline.Token);
            await using var player = new ClipPlayer(peer);

            var frames = 0;
            while (frames < 60)
            {
                var line =
                    await process.StandardOutput.ReadLineAsync(deadline.Token) ?? throw new InvalidOperationException("webrtcbin ended");
                frames = line.StartsWith("frames ", StringComparison.Ordinal) ? int.Parse(line[7..], CultureInfo.InvariantCulture) : frames;
            }

            TestContext.Current.TestOutputHelper!.WriteLine(peer.GetStats().ToString());
            // The one profile that webrtcbin offers.
            Assert.Equal("AES_CM_128_HMAC_SHA1_80", peer.GetStats().SrtpProfile);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"60 frames were not decoded in 60 s; last seen: {peer.GetStats()}");
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    private static Process Start(string[] arguments) =>
        Process.Start(new ProcessStartInfo(Python, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    private static async Task<string> ReadDescriptionAsync(string kind, StreamReader output, CancellationToken cancellationToken)
    {
        string? line;
        while ((line = await output.ReadLineAsync(cancellationToken)) is not null)
        {
            if (line.StartsWith($"{kind} ", StringComparison.Ordinal))
            {
                var text = new StringBuilder();
                var length = int.Parse(line[(kind.Length + 1)..], CultureInfo.InvariantCulture);
                var buffer = new char[length];
                await output.ReadBlockAsync(buffer, cancellationToken);
                text.Append(buffer);
                TestContext.Current.TestOutputHelper!.WriteLine(text.ToString());
                return text.ToString();
            }
        }

        throw new InvalidOperationException($"webrtcbin ended without an {kind}");
    }

    private static async Task<string> WriteScriptAsync()
    {
        var path = Path.Combine(Path.GetTempPath(), $"oriel-webrtcbin-{Environment.ProcessId}.py");
        await using var source = typeof(WebRtcBinTests).Assembly.GetManifestResourceStream("webrtcbin.py")!;
        await using var target = File.Create(path);
        await source.CopyToAsync(target);
        return path;
    }

    private static async Task SkipWithoutGStreamerAsync()
    {
        if (!File.Exists(Python))
        {
            Assert.Skip($"{Python} is not installed.");
        }

        const string Probe =
            "import gi; gi.require_version('Gst','1.0'); gi.require_version('GstWebRTC','1.0'); from gi.repository import Gst, GstWebRTC; Gst.init(None); "
            + "assert all(Gst.ElementFactory.find(n) for n in ('webrtcbin','nicesrc','dtlssrtpdec','vp8dec'))";
        using var process = Process.Start(new ProcessStartInfo(Python) { ArgumentList = { "-c", Probe }, RedirectStandardError = true })!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (process.ExitCode != 0)
        {
            Assert.Skip(
                "GStreamer's webrtcbin for Python is not installed (python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)."
            );
        }
    }
}
