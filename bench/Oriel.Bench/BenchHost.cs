using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>The real server, a real Chromium, and the few things that all scenarios do with them.</summary>
internal sealed partial class BenchHost : IAsyncDisposable
{
    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;
    private readonly string _reader;
    private readonly string[] _options;
    private readonly int? _count;

    private BenchHost(OrielServer server, IPlaywright playwright, IBrowser browser, bool quick, string[] options, int? count)
    {
        Server = server;
        _options = options;
        _count = count;
        _playwright = playwright;
        _browser = browser;
        Quick = quick;
        Drawer =
            Environment.GetEnvironmentVariable("ORIEL_BENCH_DRAW")
            ?? throw new InvalidOperationException("ORIEL_BENCH_DRAW is not set: run ./oriel bench");
        using var stream = new StreamReader(typeof(BenchHost).Assembly.GetManifestResourceStream("reader.js")!);
        _reader = stream.ReadToEnd();
    }

    public OrielServer Server { get; }

    public string Drawer { get; }

    public bool Quick { get; }

    /// <summary>Of each measured stretch.</summary>
    public int Seconds => Quick ? 6 : 10;

    /// <summary>Desktops at once, where a scenario takes several: ten, or three by emulation.</summary>
    public int Count => _count ?? (IsEmulated ? 3 : 10);

    /// <summary>As the server's start-up line names it, with what runs a machine's instructions: <c>qemu (tcg)</c>.</summary>
    public string Driver => DriverLine().Match(Server.Output).Groups["driver"].Value;

    public bool IsEmulated => Driver.EndsWith("(tcg)", StringComparison.Ordinal);

    /// <summary>QEMU alone makes snapshots and forks.</summary>
    public bool HasSnapshots => Driver.StartsWith("qemu ", StringComparison.Ordinal);

    /// <param name="driver">Of all servers of the run; null = the containers that <c>auto</c> takes without KVM.</param>
    /// <param name="count">See <see cref="Count"/>; null = its default.</param>
    public static async Task<BenchHost> StartAsync(bool quick, string? driver, int? count)
    {
        if (OrielServer.MissingReason() is { } reason)
        {
            throw new InvalidOperationException(reason);
        }

        string[] options = driver is null ? [] : ["--driver", driver];
        var server = await OrielServer.StartAsync(options);
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = "/usr/bin/chromium", Args = Ring.ChromiumArguments }
        );
        return new BenchHost(server, playwright, browser, quick, options, count);
    }

    /// <summary>Another server of the same driver.</summary>
    /// <param name="templates">Of the operator; null = the one that is built in.</param>
    public Task<OrielServer> StartServerAsync(JsonArray? templates, params string[] options) =>
        OrielServer.StartAsync(templates, [.. _options, .. options]);

    public string Machine()
    {
        var model = File.ReadLines("/proc/cpuinfo")
            .First(line => line.StartsWith("model name", StringComparison.Ordinal))
            .Split(':')[1]
            .Trim();
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1L << 30);
        return $"{Environment.ProcessorCount} cores of {model}, {memory} GiB, Linux {Environment.OSVersion.Version}, driver {Driver}";
    }

    /// <summary>
    /// How many tasks of the whole machine wanted a core in the last minute: above the number of cores, everything waits for others too.
    /// </summary>
    public static string Load() => File.ReadAllText("/proc/loadavg").Split(' ')[0];

    public async Task<string> NewDesktopAsync(int width, int height)
    {
        var id = (
            await Server.CreateDesktopAsync(
                new
                {
                    name = $"bench-{width}x{height}",
                    width,
                    height,
                }
            )
        )["id"]!.GetValue<string>();
        await Server.WaitReadyAsync(id);
        await using var drawer = File.OpenRead(Drawer);
        using var put = await Server.Api.PutAsync($"/api/desktops/{id}/files?path=/home/user/draw&mode=0755", new StreamContent(drawer));
        put.EnsureSuccessStatusCode();
        return id;
    }

    public async Task DestroyAsync(string id)
    {
        await Server.Api.DeleteAsync($"/api/desktops/{id}");
        await OrielServer.EventuallyAsync(
            async () =>
                JsonNode.Parse(await Server.Api.GetStringAsync("/api/desktops"))!["desktops"]!.AsArray().Count > 0
                    ? "a desktop is left"
                    : null,
            TimeSpan.FromSeconds(60)
        );
    }

    /// <summary>Draws in the desktop until done; the task ends with the drawing.</summary>
    public async Task DrawAsync(string id, string workload, int fps, int seconds, int width, int height)
    {
        var (code, _, error) = await Server.ExecAsync(id, "/home/user/draw", workload, $"{fps}", $"{seconds}", $"{width}", $"{height}");
        if (code != 0)
        {
            throw new InvalidOperationException($"The drawing program ended with {code}: {error}");
        }
    }

    /// <summary>A signed-in page of Oriel's origin with the reader in it.</summary>
    public async Task<IPage> ReaderPageAsync()
    {
        var page = await PageAsync(await Server.NewSignInUrlAsync());
        await page.GetByTestId("connect").First.WaitForAsync();
        await page.EvaluateAsync(_reader);
        return page;
    }

    public async Task<IPage> VncPageAsync(string url)
    {
        var page = await PageAsync(url);
        await page.Locator("canvas").First.WaitForAsync();
        await page.EvaluateAsync(_reader);
        await page.EvaluateAsync("() => orielBench.watchCanvas()");
        return page;
    }

    public static Task ConnectAsync(IPage page, string desktop, string codec, int? port = null) =>
        page.EvaluateAsync(
            "options => orielBench.connect(options)",
            new
            {
                desktop,
                codec,
                port,
            }
        );

    public static async Task<JsonNode> ResultAsync(IPage page) => await JsonAsync(page, "() => JSON.stringify(orielBench.result())");

    public static async Task<JsonNode> StagesAsync(IPage page) => await JsonAsync(page, "() => JSON.stringify(orielBench.stages())");

    public static async Task<JsonNode> StatsAsync(IPage page) =>
        await JsonAsync(page, "async () => JSON.stringify(await orielBench.stats())");

    /// <summary>CPU of a desktop's keeper and guest.</summary>
    public CpuMeter DesktopCpu(string id)
    {
        var processes = Host.ProcessesOf(Server.Data, id).ToHashSet();
        return new CpuMeter(processes.Contains);
    }

    public CpuMeter ServerCpu() => new(pid => pid == Server.ProcessId);

    public async ValueTask DisposeAsync()
    {
        await _browser.CloseAsync();
        _playwright.Dispose();
        await Server.DisposeAsync();
    }

    internal static string Ms(JsonNode? value) =>
        value is null ? "-" : value.GetValue<double>().ToString("F0", System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex("^Desktops: (?<driver>.+)$", RegexOptions.Multiline)]
    private static partial Regex DriverLine();

    private static async Task<JsonNode> JsonAsync(IPage page, string script) => JsonNode.Parse(await page.EvaluateAsync<string>(script))!;

    private async Task<IPage> PageAsync(string url)
    {
        var context = await _browser.NewContextAsync(
            new BrowserNewContextOptions
            {
                ViewportSize = new ViewportSize { Width = 1940, Height = 1120 },
            }
        );
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(60_000);
        await page.GotoAsync(url);
        return page;
    }
}
