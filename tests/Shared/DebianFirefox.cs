using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Oriel.Tests.Shared;

/// <summary>
/// Debian's Firefox ESR with a profile of its own and one tab, driven by WebDriver BiDi, which it speaks itself. A source file of several
/// test projects.
/// </summary>
internal sealed partial class DebianFirefox : IAsyncDisposable
{
    private const string Executable = "/usr/bin/firefox-esr";
    private readonly Process _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private Task _draining = Task.CompletedTask;
    private string _context = "";
    private int _id;

    private DebianFirefox(Process process, string profile)
    {
        _process = process;
        _profile = profile;
    }

    /// <summary>Skips the test where there is none.</summary>
    public static async Task<DebianFirefox> StartAsync()
    {
        Assert.SkipUnless(File.Exists(Executable), $"{Executable} is not installed.");
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
        var start = new ProcessStartInfo(Executable)
        {
            ArgumentList = { "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank" },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment = { ["HOME"] = profile, ["MOZ_DISABLE_CONTENT_SANDBOX"] = "1" },
        };
        var firefox = new DebianFirefox(Process.Start(start)!, profile);
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

    /// <summary>Returns when the page is loaded.</summary>
    public Task OpenAsync(string url) =>
        SendAsync(
            "browsingContext.navigate",
            new
            {
                context = _context,
                url,
                wait = "complete",
            }
        );

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
                await _process.StandardError.ReadLineAsync(deadline.Token) ?? throw new InvalidOperationException("Firefox ended: " + said);
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
