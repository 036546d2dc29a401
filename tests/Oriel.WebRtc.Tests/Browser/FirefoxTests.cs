using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Oriel.WebRtc.Peers;
using Oriel.WebRtc.Tests.Fixtures;

namespace Oriel.WebRtc.Tests.Browser;

/// <summary>
/// Debian's Firefox ESR, driven by WebDriver BiDi, which it speaks itself. VP8 only: its H.264 is a plug-in that it would download.
/// </summary>
public sealed partial class FirefoxTests
{
    private const string Executable = "/usr/bin/firefox-esr";

    [Fact]
    public async Task Video_Vp8_FramesAreShown()
    {
        if (!File.Exists(Executable))
        {
            Assert.Skip($"{Executable} is not installed.");
        }

        await using var firefox = await Firefox.StartAsync(Executable);
        await using var endpoint = await WebRtcEndpoint.StartAsync(
            new WebRtcOptions { Listen = new IPEndPoint(IPAddress.Any, 0) },
            TestLogs.Factory,
            TestContext.Current.CancellationToken
        );
        await using var peer = endpoint.CreatePeer(new PeerOptions());
        await firefox.EvaluateAsync(
            $"document.body.innerHTML = '<video id=v autoplay muted playsinline></video>'; ({BrowserPeer.Script})()"
        );

        var offer = await firefox.EvaluateAsync("window.offer({ input: {} })");
        TestContext.Current.TestOutputHelper!.WriteLine(offer);
        var answer = peer.AcceptOffer(offer);
        await firefox.EvaluateAsync(
            $"pc.setRemoteDescription({{ type: 'answer', sdp: {JsonSerializer.Serialize(answer)} }}).then(() => '')"
        );
        await using var player = new ClipPlayer(peer);

        var watch = Stopwatch.StartNew();
        var seen = "";
        while (!int.TryParse(seen = await firefox.EvaluateAsync("String(window.frames_)"), out var frames) || frames < 60)
        {
            Assert.True(
                watch.Elapsed < TimeSpan.FromSeconds(60),
                $"60 frames were not shown in 60 s; last seen: {seen}, {await firefox.EvaluateAsync("pc.connectionState")}, {peer.GetStats()}"
            );
            await firefox.EvaluateAsync("new Promise(done => setTimeout(() => done(''), 100))");
        }

        TestContext.Current.TestOutputHelper!.WriteLine(peer.GetStats().ToString());
        Assert.Equal("udp", peer.GetStats().Transport);
    }

    /// <summary>One Firefox with a profile of its own, and one tab.</summary>
    private sealed partial class Firefox : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly string _profile;
        private readonly ClientWebSocket _socket = new();
        private Task _draining = Task.CompletedTask;
        private string _context = "";
        private int _id;

        private Firefox(Process process, string profile)
        {
            _process = process;
            _profile = profile;
        }

        public static async Task<Firefox> StartAsync(string executable)
        {
            var profile = Directory.CreateTempSubdirectory("oriel-firefox-").FullName;
            await File.WriteAllTextAsync(
                Path.Combine(profile, "user.js"),
                """
                user_pref("media.peerconnection.ice.loopback", true);
                user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
                user_pref("media.autoplay.default", 0);
                user_pref("app.update.enabled", false);
                user_pref("network.captive-portal-service.enabled", false);
                user_pref("media.gmp-manager.updateEnabled", false);
                """
            );
            var start = new ProcessStartInfo(executable)
            {
                ArgumentList = { "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank" },
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                Environment = { ["HOME"] = profile, ["MOZ_DISABLE_CONTENT_SANDBOX"] = "1" },
            };
            var firefox = new Firefox(Process.Start(start)!, profile);
            try
            {
                await firefox.ConnectAsync();
                return firefox;
            }
            catch
            {
                await firefox.DisposeAsync();
                throw;
            }
        }

        /// <summary>The string that an expression, or its promise, gives.</summary>
        public async Task<string> EvaluateAsync(string expression)
        {
            var result = await SendAsync(
                "script.evaluate",
                new
                {
                    expression,
                    target = new { context = _context },
                    awaitPromise = true,
                }
            );
            var value =
                result.GetProperty("type").GetString() == "exception"
                    ? throw new InvalidOperationException(result.ToString())
                    : result.GetProperty("result");
            return value.TryGetProperty("value", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "";
        }

        public async ValueTask DisposeAsync()
        {
            _socket.Dispose();
            if (!_process.HasExited)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync();
            }

            await _draining;
            _process.Dispose();
            Directory.Delete(_profile, recursive: true);
        }

        private async Task ConnectAsync()
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(90));
            _process.OutputDataReceived += (_, _) => { };
            _process.BeginOutputReadLine();
            var said = new StringBuilder();
            Match address;
            do
            {
                var line =
                    await _process.StandardError.ReadLineAsync(deadline.Token)
                    ?? throw new InvalidOperationException("Firefox ended: " + said);
                said.AppendLine(line);
                address = Listening().Match(line);
            } while (!address.Success);

            _draining = _process.StandardError.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
            await _socket.ConnectAsync(new Uri(address.Value + "/session"), deadline.Token);
            await SendAsync("session.new", new { capabilities = new { } });
            var tree = await SendAsync("browsingContext.getTree", new { });
            _context = tree.GetProperty("contexts")[0].GetProperty("context").GetString()!;
        }

        private async Task<JsonElement> SendAsync(string method, object parameters)
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            var id = ++_id;
            await _socket.SendAsync(
                JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        id,
                        method,
                        @params = parameters,
                    }
                ),
                WebSocketMessageType.Text,
                true,
                deadline.Token
            );
            while (true)
            {
                using var message = new MemoryStream();
                var buffer = new byte[16 * 1024];
                WebSocketReceiveResult part;
                do
                {
                    part = await _socket.ReceiveAsync(buffer, deadline.Token);
                    message.Write(buffer, 0, part.Count);
                } while (!part.EndOfMessage);

                var root = JsonDocument.Parse(message.ToArray()).RootElement;
                if (root.TryGetProperty("id", out var answered) && answered.ValueKind == JsonValueKind.Number && answered.GetInt32() == id)
                {
                    return root.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException(root.ToString());
                }
            }
        }

        [GeneratedRegex("ws://[0-9.:]+")]
        private static partial Regex Listening();
    }
}
