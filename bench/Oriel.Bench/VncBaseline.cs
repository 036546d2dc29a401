using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Oriel.Bench;

/// <summary>Debian's TigerVNC and noVNC, drawn on by the same program; a relay between websockify and Xvnc counts the bytes.</summary>
internal sealed class VncBaseline : IAsyncDisposable
{
    private readonly Process _xvnc;
    private readonly Process _websockify;
    private readonly TcpListener _counter = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _display;
    private readonly Task _counting;
    private long _bytes;

    private VncBaseline(int display, int rfbPort, int webPort, int width, int height)
    {
        _display = $":{display}";
        WebPort = webPort;
        _counter.Start();
        _xvnc = Start(
            "Xtigervnc",
            [
                _display,
                "-geometry",
                $"{width}x{height}",
                "-depth",
                "24",
                "-SecurityTypes",
                "None",
                "-localhost",
                "-rfbport",
                $"{rfbPort}",
                "-FrameRate",
                "60",
                "-AlwaysShared",
            ]
        );
        _websockify = Start(
            "websockify",
            ["--web", "/usr/share/novnc", $"127.0.0.1:{webPort}", $"127.0.0.1:{((IPEndPoint)_counter.LocalEndpoint).Port}"]
        );
        _counting = CountAsync(rfbPort);
    }

    public int WebPort { get; }

    public string Url => $"http://127.0.0.1:{WebPort}/vnc.html?autoconnect=true&reconnect=true&resize=off&show_dot=false";

    public long Bytes => Interlocked.Read(ref _bytes);

    public int XvncPid => _xvnc.Id;

    /// <summary>What is missing for this baseline, or null.</summary>
    public static string? Missing() =>
        !File.Exists("/usr/bin/Xtigervnc") ? "tigervnc-standalone-server is not installed"
        : !Directory.Exists("/usr/share/novnc") ? "novnc is not installed"
        : null;

    public static async Task<VncBaseline> StartAsync(int width, int height)
    {
        var baseline = new VncBaseline(Random.Shared.Next(200, 900), FreePort(), FreePort(), width, height);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!File.Exists($"/tmp/.X11-unix/X{baseline._display[1..]}") || !await AnswersAsync(baseline.WebPort))
        {
            await timer.WaitForNextTickAsync(deadline.Token);
        }

        return baseline;
    }

    public Process Draw(string drawer, string workload, int fps, int seconds, int width, int height) =>
        Start(drawer, [workload, $"{fps}", $"{seconds}", $"{width}", $"{height}"], ("DISPLAY", _display));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _counter.Stop();
        foreach (var process in new[] { _websockify, _xvnc })
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _counting;
    }

    private static Process Start(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private async Task CountAsync(int rfbPort)
    {
        try
        {
            while (true)
            {
                var page = await _counter.AcceptTcpClientAsync(_stop.Token);
                var server = new TcpClient { NoDelay = true };
                page.NoDelay = true;
                await server.ConnectAsync(IPAddress.Loopback, rfbPort, _stop.Token);
                _ = PumpAsync(server.GetStream(), page.GetStream(), count => Interlocked.Add(ref _bytes, count));
                _ = PumpAsync(page.GetStream(), server.GetStream(), _ => { });
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The benchmark is over.
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, Action<int> count)
    {
        var buffer = new byte[65536];
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, _stop.Token)) > 0)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
                count(read);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // One side closed.
        }
    }
}
