using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Node;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Composition;
using Oriel.Server.Configuration;

namespace Oriel.Tests.Server;

/// <summary>The real server on a free port of 127.0.0.1 and a data directory of its own; only the keepers are played.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public static readonly DesktopDeadlines Short = new() { Keeper = TimeSpan.FromSeconds(1), Agent = TimeSpan.FromSeconds(1) };

    private readonly bool _ownsData;
    private readonly ServerApplication _application;

    private TestServer(ServerApplication application, PlayedKeepers keepers, Lines log, string data, bool ownsData)
    {
        (_application, Keepers, Log, Data, _ownsData) = (application, keepers, log, data, ownsData);
        Token = File.ReadAllText(new DataLayout(data).Token).Trim();
        Anonymous = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = new Uri(application.Url),
        };
        Api = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = new Uri(application.Url),
        };
        Api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
    }

    public PlayedKeepers Keepers { get; }

    public Lines Log { get; }

    public string Data { get; }

    public DataLayout Layout => new(Data);

    public string Token { get; private set; }

    /// <summary>Another token took the place of the one before.</summary>
    public void UseToken(string token)
    {
        Token = token;
        Api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    public string Url => _application.Url;

    public ServerApplication Application => _application;

    /// <summary>Of the desktop that was created last.</summary>
    public string LastId { get; private set; } = "";

    /// <summary>Without any sign-in.</summary>
    public HttpClient Anonymous { get; }

    /// <summary>With the API token.</summary>
    public HttpClient Api { get; }

    public static async Task<TestServer> StartAsync(
        string? data = null,
        PlayedKeepers? keepers = null,
        bool image = true,
        int maxDesktops = 8,
        DesktopDeadlines? deadlines = null,
        Func<ServeOptions, ServeOptions>? change = null,
        bool ownsData = false,
        LogLevel logged = LogLevel.Debug,
        TimeProvider? clock = null
    )
    {
        var directory = data ?? Directory.CreateTempSubdirectory("oriel-server-").FullName;
        if (image)
        {
            AddImage(new DataLayout(directory).Images);
        }

        var log = new Lines();
        var played = keepers ?? new PlayedKeepers();
        var options = new ServeOptions
        {
            DataDirectory = directory,
            Port = 0,
            MediaPort = 0,
            MaxDesktops = maxDesktops,
        };
        var parts = new ServerParts
        {
            Logging = logging => logging.AddProvider(log).SetMinimumLevel(logged),
            Keepers = played,
            Deadlines = deadlines ?? new DesktopDeadlines(),
            Clock = clock ?? TimeProvider.System,
        };
        var application = await ServerApplication.StartAsync(
            change?.Invoke(options) ?? options,
            parts,
            TestContext.Current.CancellationToken
        );
        return new TestServer(application, played, log, directory, ownsData: ownsData || data is null);
    }

    public async Task<JsonNode> CreateAsync(object? request = null)
    {
        using var response = await Api.PostAsJsonAsync("/api/desktops", request ?? new { });
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == System.Net.HttpStatusCode.Created, $"{response.StatusCode}: {body}");
        var desktop = JsonNode.Parse(body)!;
        LastId = desktop["id"]!.GetValue<string>();
        return desktop;
    }

    /// <summary>Follows a desktop's events until one fits; the deadline says what was last seen.</summary>
    public async Task<JsonNode> WaitForAsync(string id, string type, Func<JsonNode, bool> fits)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var last = "nothing";
        try
        {
            await foreach (var (_, kind, data) in EventsAsync(id, null, limit.Token))
            {
                last = $"{kind} {data}";
                if (kind == type && JsonNode.Parse(data) is { } node && fits(node))
                {
                    return node;
                }
            }
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            // Told below.
        }

        throw new TimeoutException($"{id}: no such '{type}' event; last: {last}\n{Log.Text}");
    }

    public Task<JsonNode> WaitForStateAsync(string id, string state) =>
        WaitForAsync(id, "state", e => e["state"]!.GetValue<string>() == state);

    public async IAsyncEnumerable<(string Id, string Kind, string Data)> EventsAsync(
        string id,
        string? lastId,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/desktops/{id}/events");
        if (lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastId);
        }

        using var response = await Api.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in System.Net.ServerSentEvents.SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            yield return (item.EventId ?? "", item.EventType, item.Data);
        }
    }

    /// <summary>
    /// What a CONNECT to the target through this desktop's proxy is answered with: the head, handed over as its keeper does.
    /// </summary>
    public async Task<string> ConnectThroughProxyAsync(string id, string target)
    {
        var spec = JsonNode.Parse(await File.ReadAllTextAsync(Layout.BundleOf(id).Spec))!;
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Layout.EgressSocket));
        await using var stream = new NetworkStream(socket);
        var preamble = new EgressPreamble(id, Convert.FromBase64String(spec["egressKey"]!.GetValue<string>()), "proxy");
        await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(preamble, KeeperJsonContext.Default.EgressPreamble));
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"\nCONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        return await Egress.HttpProxyTests.ReadHeadAsync(stream);
    }

    public async ValueTask DisposeAsync()
    {
        Anonymous.Dispose();
        Api.Dispose();
        await _application.DisposeAsync();
        if (_ownsData)
        {
            await Keepers.DisposeAsync();
            Directory.Delete(Data, recursive: true);
        }
    }

    /// <summary>The one that <see cref="AddImage"/> makes.</summary>
    public static ImageDirectory ImageIn(string data) => new(Path.Combine(new DataLayout(data).Images, new string('a', 64)));

    /// <summary>An image as far as the store tells: played keepers never look inside.</summary>
    public static void AddImage(string images)
    {
        var hex = new string('a', 64);
        var image = new ImageDirectory(Path.Combine(images, hex));
        foreach (var zone in (string[])["UTC", "Europe/Paris", "Test/OfTheImage"])
        {
            var file = Path.Combine(image.Tree, "usr/share/zoneinfo", zone);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "");
        }

        File.WriteAllText(
            image.Manifest,
            $$$"""
            {"name":"desktop","digest":"sha256:{{{hex}}}","suite":"trixie","recipeHash":"","agent":null,"size":1,"entries":1,"createdAt":"2026-01-01T00:00:00+00:00",
             "packages":[{"name":"bash","version":"5"}],"bootTest":{"passed":true,"at":"2026-01-01T00:00:00+00:00","steps":[],"reason":null}}
            """
        );
    }

    /// <summary>Everything that was logged.</summary>
    internal sealed class Lines : ILoggerProvider
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public string Text => string.Join('\n', _lines);

        public ILogger CreateLogger(string categoryName) => new Line(categoryName, _lines);

        public void Dispose() { }

        private sealed class Line(string category, ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel,
                EventId eventId,
                TState state,
                Exception? exception,
                Func<TState, Exception?, string> formatter
            ) => lines.Enqueue($"{logLevel} {category}: {formatter(state, exception)} {exception}");
        }
    }
}
