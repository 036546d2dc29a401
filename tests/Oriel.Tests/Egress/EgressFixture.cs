using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriel.Egress;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;
using Oriel.Protocol.Keeper;
using Oriel.Tests.Server;

namespace Oriel.Tests.Egress;

/// <summary>
/// A gateway on a unix socket of its own, a Kestrel site on loopback as the target, and connections as a keeper makes them.
/// </summary>
public sealed class EgressFixture : IAsyncDisposable
{
    public const string Desktop = "d-aaaaaaaaaa";
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("oriel-egress-");
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly WebApplication _site;
    private readonly TestServer.Lines _logged = new();

    public EgressFixture(
        EgressPolicy policy,
        bool openLoopback = true,
        int maxConnections = 512,
        IReadOnlyList<DnsEndPoint>? upstreams = null,
        Func<EgressOptions, EgressOptions>? change = null
    )
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        _site = builder.Build();
        _site.UseWebSockets();
        _site.MapGet("/hello", (HttpContext context) => $"hello {context.Connection.Id}");
        _site.MapGet(
            "/fields",
            (HttpContext context) => string.Join("\n", context.Request.Headers.Select(field => $"{field.Key}: {field.Value}"))
        );
        _site.MapGet("/empty", () => Results.NoContent());
        _site.MapPost(
            "/upload",
            async (HttpContext context) =>
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                var buffer = new byte[65536];
                int read;
                while ((read = await context.Request.Body.ReadAsync(buffer)) > 0)
                {
                    hash.AppendData(buffer, 0, read);
                }

                return Convert.ToHexStringLower(hash.GetHashAndReset());
            }
        );
        _site.Map(
            "/ws",
            async (HttpContext context) =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                var buffer = new byte[1024];
                var message = await socket.ReceiveAsync(buffer, default(CancellationToken));
                await socket.SendAsync(buffer.AsMemory(0, message.Count), message.MessageType, true, default);
                await socket.CloseAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, null, default);
            }
        );
        _site.StartAsync().GetAwaiter().GetResult();
        Port = new Uri(_site.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        Options = new EgressOptions
        {
            SocketPath = Path.Combine(_directory.FullName, "egress.sock"),
            AllowedPrivate = openLoopback ? [IPNetwork.Parse("127.0.0.0/8")] : [],
            Hosts = new Dictionary<string, IPAddress>
            {
                ["site.test"] = IPAddress.Loopback,
                ["rebound.test"] = IPAddress.Parse("169.254.169.254"),
            },
            OwnPorts = () => [OwnPort],
            AllowedUpstreams = upstreams ?? [],
            MaxConnectionsPerDesktop = maxConnections,
            ConnectTimeout = TimeSpan.FromSeconds(20),
        };
        Options = change?.Invoke(Options) ?? Options;
        Gateway = EgressGateway.Start(Options, TimeProvider.System, new LoggerFactory([_logged]).CreateLogger<EgressGateway>());
        Session = Gateway.Register(Desktop, _key, policy);
    }

    public EgressOptions Options { get; }

    public EgressGateway Gateway { get; }

    public EgressSession Session { get; }

    /// <summary>Of the target site.</summary>
    public int Port { get; }

    /// <summary>A port that the gateway takes for Oriel's own.</summary>
    public int OwnPort { get; set; } = 1;

    public string ExpectedCanary(string nonce) => EgressSession.CanaryBody(_key, nonce);

    public Task<NetworkStream> ProxyAsync() => HandOverAsync(new EgressPreamble(Desktop, _key, "proxy"));

    public Task<NetworkStream> TransparentAsync(string? host, string address, int port) =>
        HandOverAsync(new EgressPreamble(Desktop, _key, "transparent", host, address, port));

    public async Task<NetworkStream> HandOverAsync(EgressPreamble preamble)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Options.SocketPath));
        var stream = new NetworkStream(socket, ownsSocket: true) { ReadTimeout = 30_000 };
        await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(preamble, KeeperJsonContext.Default.EgressPreamble));
        await stream.WriteAsync("\n"u8.ToArray());
        return stream;
    }

    /// <summary>A client of the framework that speaks to the explicit proxy over the hand-over socket.</summary>
    public HttpClient Client()
    {
        var handler = new SocketsHttpHandler
        {
            Proxy = new WebProxy("http://proxy.invalid:10001"),
            UseProxy = true,
            ConnectCallback = async (_, _) => await ProxyAsync(),
        };
        return new HttpClient(handler) { BaseAddress = new Uri($"http://site.test:{Port}"), Timeout = TimeSpan.FromSeconds(60) };
    }

    public static async Task<string> ReadToEndAsync(Stream stream)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var bytes = new MemoryStream();
        try
        {
            await stream.CopyToAsync(bytes, deadline.Token);
        }
        catch (IOException)
        {
            // A reset is an end as well; what came before it is what a test looks at.
        }

        return Encoding.Latin1.GetString(bytes.ToArray());
    }

    public static Task SendAsync(Stream stream, string text) => stream.WriteAsync(Encoding.Latin1.GetBytes(text)).AsTask();

    /// <summary>Waits for an entry of the log; the deadline names what the log held.</summary>
    public async Task<EgressEntry> EntryAsync(Func<EgressEntry, bool> wanted)
    {
        var found = new TaskCompletionSource<EgressEntry>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look(EgressEntry entry)
        {
            if (wanted(entry))
            {
                found.TrySetResult(entry);
            }
        }

        Session.Log.Changed += Look;
        foreach (var entry in Session.Log.Snapshot())
        {
            Look(entry);
        }

        try
        {
            return await found.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (TimeoutException)
        {
            throw new TimeoutException("No such entry; the log holds: " + string.Join("; ", Session.Log.Snapshot()));
        }
        finally
        {
            Session.Log.Changed -= Look;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await _site.DisposeAsync();
        _directory.Delete(recursive: true);
        // Whatever a guest does, the operator's log does not grow by it. (A wrong key is not a guest's.)
        Assert.DoesNotContain(
            _logged.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => line.Split(' ')[0] is not ("Trace" or "Debug") && !line.Contains("had not its key", StringComparison.Ordinal)
        );
    }
}
