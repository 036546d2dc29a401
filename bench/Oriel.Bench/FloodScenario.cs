using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;

namespace Oriel.Bench;

/// <summary>
/// What a desktop's viewer notices, and how fast the server answers, while another desktop, or somebody on the network, floods it. The ways
/// are those of the threat model's table of costs.
/// </summary>
internal static class FloodScenario
{
    private const int Fps = 30;
    private static readonly TimeSpan HealthInterval = TimeSpan.FromMilliseconds(20);

    public static async Task<Report> RunAsync(BenchHost bench)
    {
        var watched = await bench.NewDesktopAsync(1280, 720);
        var hostile = await bench.NewDesktopAsync(1280, 720);
        using (var stream = new StreamReader(typeof(FloodScenario).Assembly.GetManifestResourceStream("flood.pl")!))
        {
            using var script = new StringContent(await stream.ReadToEndAsync());
            using var put = await bench.Server.Api.PutAsync($"/api/desktops/{hostile}/files?path=/home/user/flood.pl", script);
            put.EnsureSuccessStatusCode();
        }

        var floods = new (string Name, Func<CancellationToken, Task<long>> Run)[]
        {
            ("nothing", _ => Task.FromResult(0L)),
            ("guest: processes", _ => GuestAsync(bench, hostile, "processes")),
            ("guest: connections", _ => GuestAsync(bench, hostile, "connections")),
            ("guest: look-ups", _ => GuestAsync(bench, hostile, "names")),
            ("guest: refused requests", _ => GuestAsync(bench, hostile, "requests")),
            ("guest: output of commands", token => AgainAsync(4, () => OutputAsync(bench, hostile), token)),
            ("API: screenshots", token => AgainAsync(4, () => GetAsync(bench, $"/api/desktops/{hostile}/screenshot"), token)),
            ("network: wrong sign-ins", token => AgainAsync(4, () => SignInAsync(bench), token)),
            ("network: silent connections", token => ConnectAsync(bench.Server.Port, token)),
            ("network: datagrams to the media port", token => SendAsync(bench, token)),
            ("nothing, again", _ => Task.FromResult(0L)),
        };
        var rows = new List<string[]>();
        foreach (var (name, run) in floods)
        {
            rows.Add(await MeasureAsync(bench, watched, name, run));
        }

        await bench.Server.DestroyAllAsync(but: null);
        return new Report(
            [
                "flood",
                "times a second",
                "shown fps",
                "p50 ms",
                "p95 ms",
                "health p50 ms",
                "health p99 ms",
                "server CPU %",
                "log lines",
                "load",
            ],
            rows,
            "Frames are of a desktop that does nothing wrong, 720p text at 30 fps by H.264. A guest's flood runs at the lowest priority, as a CPU limit would have it, since not every host can set one; everything else takes the CPU that it gets on this machine. The aims: frames at most a tenth slower than with nothing, /health/live within 50 ms."
        );
    }

    private static async Task<string[]> MeasureAsync(
        BenchHost bench,
        string watched,
        string name,
        Func<CancellationToken, Task<long>> flood
    )
    {
        var page = await bench.ReaderPageAsync();
        await BenchHost.ConnectAsync(page, watched, "h264");
        using var stop = new CancellationTokenSource();
        var flooding = flood(stop.Token);
        var drawing = bench.DrawAsync(watched, "text", Fps, bench.Seconds + 3, 1280, 720);
        await page.WaitForFunctionAsync("() => orielBench.run.frames >= 20", null, new() { Timeout = 60_000 });
        await page.EvaluateAsync("() => orielBench.reset()");
        var (cpu, lines) = (bench.ServerCpu(), Lines(bench));
        using var health = new CancellationTokenSource();
        var asking = HealthAsync(bench, health.Token);
        await drawing;
        await health.CancelAsync();
        var (answers, result, percent) = (await asking, await BenchHost.ResultAsync(page), cpu.Percent());
        await stop.CancelAsync();
        var count = await flooding;
        await page.Context.CloseAsync();
        return
        [
            name,
            count == 0 ? "-" : (count / (bench.Seconds + 3)).ToString(CultureInfo.InvariantCulture),
            (result["frames"]!.GetValue<double>() / result["seconds"]!.GetValue<double>()).ToString("F0", CultureInfo.InvariantCulture),
            BenchHost.Ms(result["p50"]),
            BenchHost.Ms(result["p95"]),
            Percentile(answers, 0.5),
            Percentile(answers, 0.99),
            percent.ToString("F0", CultureInfo.InvariantCulture),
            (Lines(bench) - lines).ToString(CultureInfo.InvariantCulture),
            BenchHost.Load(),
        ];
    }

    /// <summary>That the server has printed.</summary>
    private static int Lines(BenchHost bench) => bench.Server.Output.Count(character => character == '\n');

    private static string Percentile(List<double> values, double share) =>
        values.Order().ElementAt((int)(share * (values.Count - 1))).ToString("F1", CultureInfo.InvariantCulture);

    /// <returns>Milliseconds of each answer.</returns>
    private static async Task<List<double>> HealthAsync(BenchHost bench, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { BaseAddress = bench.Server.Address };
        using var timer = new PeriodicTimer(HealthInterval);
        var answers = new List<double>();
        do
        {
            var asked = Stopwatch.GetTimestamp();
            using var answer = await client.GetAsync("/health/live", CancellationToken.None);
            answer.EnsureSuccessStatusCode();
            answers.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
        } while (!cancellationToken.IsCancellationRequested && await timer.WaitForNextTickAsync(CancellationToken.None));
        return answers;
    }

    private static async Task<long> GuestAsync(BenchHost bench, string id, string way)
    {
        // It ends by itself a little after the drawing.
        var seconds = (bench.Seconds + 3).ToString(CultureInfo.InvariantCulture);
        var (code, said, error) = await bench.Server.ExecAsync(
            id,
            "/usr/bin/nice",
            "-n",
            "19",
            "/usr/bin/perl",
            "/home/user/flood.pl",
            way,
            seconds
        );
        return code == 0
            ? long.Parse(said, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"flood.pl {way} ended with {code}: {error}");
    }

    private static async Task<long> AgainAsync(int atOnce, Func<Task> work, CancellationToken cancellationToken)
    {
        var count = 0L;
        await Task.WhenAll(
            Enumerable
                .Range(0, atOnce)
                .Select(async _ =>
                {
                    while (!cancellationToken.IsCancellationRequested)
                    {
                        await work();
                        Interlocked.Increment(ref count);
                    }
                })
        );
        return count;
    }

    private static async Task OutputAsync(BenchHost bench, string id)
    {
        using var answer = await bench.Server.Api.PostAsJsonAsync(
            $"/api/desktops/{id}/exec",
            new
            {
                command = "/usr/bin/nice",
                args = (string[])["-n", "19", "/usr/bin/head", "-c", "64M", "/dev/zero"],
                timeout = 60,
            }
        );
        await answer.Content.CopyToAsync(Stream.Null);
    }

    private static async Task GetAsync(BenchHost bench, string path)
    {
        using var answer = await bench.Server.Api.GetAsync(path);
        await answer.Content.CopyToAsync(Stream.Null);
    }

    private static async Task SignInAsync(BenchHost bench)
    {
        using var client = new HttpClient { BaseAddress = bench.Server.Address };
        using var answer = await client.PostAsJsonAsync("/api/session", new { token = "wrong" });
        if (answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException("A wrong token was taken.");
        }
    }

    private static async Task<long> ConnectAsync(int port, CancellationToken cancellationToken)
    {
        const int Open = 900;
        var (count, open) = (0L, new Queue<Socket>());
        // A connection to this machine is made at once: the loop would keep its caller.
        await Task.Yield();
        while (!cancellationToken.IsCancellationRequested)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            open.Enqueue(socket);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port, CancellationToken.None);
                count++;
            }
            catch (SocketException)
            {
                // Refused: it counts as tried.
            }

            if (open.Count > Open)
            {
                open.Dequeue().Dispose();
            }
        }

        foreach (var socket in open)
        {
            socket.Dispose();
        }

        return count;
    }

    /// <summary>What looks like STUN, DTLS and RTP, and is none.</summary>
    private static async Task<long> SendAsync(BenchHost bench, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(IPAddress.Loopback, await bench.Server.MediaPortAsync(), CancellationToken.None);
        var (count, datagram, random) = (0L, new byte[1200], new Random(1));
        await Task.Yield();
        while (!cancellationToken.IsCancellationRequested)
        {
            random.NextBytes(datagram);
            datagram[0] = (count % 3) switch
            {
                0 => 0,
                1 => 22,
                _ => 0x80,
            };
            try
            {
                await socket.SendAsync(datagram, SocketFlags.None, CancellationToken.None);
                count++;
            }
            catch (SocketException)
            {
                // Its queue is full.
            }
        }

        return count;
    }
}
