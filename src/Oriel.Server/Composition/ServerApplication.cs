using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.EntityFrameworkCore;
using OpenTelemetry.Metrics;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Node;
using Oriel.Desktops.Registry;
using Oriel.Desktops.Store;
using Oriel.Desktops.Templates;
using Oriel.Egress;
using Oriel.Egress.Policy;
using Oriel.Images.Store;
using Oriel.Protocol;
using Oriel.Server.Auth;
using Oriel.Server.Configuration;
using Oriel.Server.Desktops;
using Oriel.Server.Health;
using Oriel.Server.Http;
using Oriel.Server.Images;
using Oriel.Server.Instance;
using Oriel.Server.OpenApi;
using Oriel.Server.Streaming;
using Oriel.Server.Web;

namespace Oriel.Server.Composition;

/// <summary>
/// One running server: database, egress, desktops and HTTP, started in that order and stopped in the reverse one. The composition root.
/// </summary>
internal sealed class ServerApplication : IAsyncDisposable
{
    private const long DefaultMaxBody = 1024 * 1024;
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(3);
    private readonly Stack<IAsyncDisposable> _parts = new();
    private WebApplication? _app;
    private int _port;

    private ServerApplication(ServeOptions options) => Options = options;

    public ServeOptions Options { get; }

    /// <summary>As a browser on this host reaches it, without a final slash.</summary>
    public string Url { get; private set; } = "";

    public string? CertificateFingerprint { get; private set; }

    public IServiceProvider Services => _app!.Services;

    public DesktopService Desktops => Services.GetRequiredService<DesktopService>();

    /// <exception cref="IOException">The address is in use, or the data directory's path is too long.</exception>
    public static async Task<ServerApplication> StartAsync(ServeOptions options, ServerParts parts, CancellationToken cancellationToken)
    {
        options.Layout.RequireShortPath();
        var server = new ServerApplication(options);
        try
        {
            await server.StartAsync(parts, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public Task<string> NewSignInAsync(CancellationToken cancellationToken) =>
        Services.GetRequiredService<TokenService>().NewSignInAsync(cancellationToken);

    /// <summary>Stops in order and within seconds; desktops that live go on living. Idempotent.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_app is { } app)
        {
            using var limit = new CancellationTokenSource(StopDeadline);
            try
            {
                await app.StopAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                // What did not end by itself is cut with the process.
            }
        }

        while (_parts.TryPop(out var part))
        {
            await part.DisposeAsync();
        }

        _app = null;
    }

    private async Task StartAsync(ServerParts parts, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Options.DataDirectory, PrivateFile.OwnerOnlyDirectory);
        Directory.CreateDirectory(Options.Layout.Run, PrivateFile.OwnerOnlyDirectory);
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.ClearProviders();
        parts.Logging(builder.Logging);
        var certificate = Options.IsHttps ? ServerCertificate.Load(Options, parts.Clock) : null;
        CertificateFingerprint = certificate is null ? null : ServerCertificate.Fingerprint(certificate);
        ConfigureKestrel(builder, certificate);
        var database = new DesktopDbContextFactory(Options.Layout.Database);
        await database.MigrateAsync(cancellationToken);
        AddServices(builder.Services, database, parts);
        StreamingSetup.Add(builder, Options);

        _app = builder.Build();
        if (parts.SearchPath is { } path && KeeperPrograms.Problem(Options.Driver, path) is { } problem)
        {
            _app.Services.GetRequiredService<ILogger<ServerApplication>>().LogError("No desktop can start: {Problem}", problem);
        }

        _parts.Push(_app);
        _parts.Push(_app.Services.GetRequiredService<EgressGateway>());
        _parts.Push(Desktops);
        Map(_app);
        await Desktops.StartAsync(cancellationToken);
        await _app.StartAsync(cancellationToken);
        var bound = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        _port = bound.Port;
        Url = $"{bound.Scheme}://{NameForUrl()}:{_port}";
    }

    private string NameForUrl()
    {
        var address = Options.Bind;
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
        {
            return Options.Hosts.FirstOrDefault() ?? Options.PublicAddresses.Select(Bracketed).FirstOrDefault() ?? "localhost";
        }

        return Bracketed(address);
    }

    private static string Bracketed(IPAddress address) =>
        address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();

    private void ConfigureKestrel(WebApplicationBuilder builder, X509Certificate2? certificate) =>
        builder
            .WebHost.UseKestrelCore()
            .UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                kestrel.Limits.MaxRequestBodySize = DefaultMaxBody;
                kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
                kestrel.Listen(
                    Options.Bind,
                    Options.Port,
                    listen =>
                    {
                        // Before TLS, whose handshake is the costly part of a connection.
                        listen.Use(new ConnectionLimit().Around);
                        if (certificate is not null)
                        {
                            listen.UseHttps(certificate);
                        }
                    }
                );
            });

    private void AddServices(IServiceCollection services, DesktopDbContextFactory database, ServerParts parts)
    {
        var clock = parts.Clock;
        services.AddRouting();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = StopDeadline);
        services.AddProblemDetails(problems =>
            problems.CustomizeProblemDetails = context =>
                context.ProblemDetails.Extensions.TryAdd("reason", ReasonOf(context.ProblemDetails.Status))
        );
        services.AddSingleton(Options);
        services.AddSingleton(clock);
        services.AddSingleton<IDbContextFactory<DesktopDbContext>>(database);
        services.AddSingleton<DesktopStore>();
        services.AddSingleton(_ => new TokenService(database, Options.Layout, clock));
        services.AddSingleton<SignInLimiter>();
        services.AddSingleton(new ImageStore(Options.Images, Options.AllowUntestedImages));
        services.AddSingleton(parts.Templates ?? new TemplateCatalog(TemplateFile.Read(Options.Layout.Templates), Options.Warm));
        services.AddSingleton(parts.Keepers ?? new LocalKeeperHost(Options.Keeper, clock));
        // Keepers that are not processes need no groups.
        services.AddSingleton(provider =>
            parts.Keepers is not null
                ? CgroupDelegation.None
                : CgroupDelegation.Detect(provider.GetRequiredService<ILogger<CgroupDelegation>>())
        );
        services.AddSingleton<DesktopMetrics>();
        services.AddSingleton(
            new DesktopOptions
            {
                Layout = Options.Layout,
                Driver = Options.Driver,
                MaxDesktops = Options.MaxDesktops,
                Deadlines = parts.Deadlines.Scaled(Options.Driver.TimeScale),
            }
        );
        services.AddSingleton(provider =>
            EgressGateway.Start(EgressOptions(provider), clock, provider.GetRequiredService<ILogger<EgressGateway>>())
        );
        services.AddSingleton<DesktopService>();
        services.AddOrielOpenApi();
        services
            .AddOpenTelemetry()
            .WithMetrics(metrics =>
                metrics
                    .AddMeter("Oriel.*", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime")
                    .AddPrometheusExporter()
            );
    }

    private EgressOptions EgressOptions(IServiceProvider provider) =>
        new()
        {
            SocketPath = Options.Layout.EgressSocket,
            AllowedPrivate = Options.EgressAllow,
            Denied = Options.EgressDeny,
            AllowedUpstreams = Options.UpstreamAllow,
            PublicAddresses = Options.PublicAddresses,
            Hosts = Options.EgressHosts,
            OwnPorts = () => [_port, .. StreamingSetup.MediaPorts(provider)],
        };

    private void Map(WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseUnreadableRequests();
        app.UseHeadRequests();
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(20) });
        app.UseMiddleware<RequestGuard>();

        // Our own words in place of the framework's, which leaves the reason out where a client accepts no JSON.
        app.UseStatusCodePages(pages =>
        {
            pages.HttpContext.Response.AllowHead();
            var status = pages.HttpContext.Response.StatusCode;
            return Problems.WriteAsync(
                pages.HttpContext,
                status,
                ReasonOf(status),
                status == StatusCodes.Status415UnsupportedMediaType
                    ? JsonBody.WrongType
                    : Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status) + "."
            );
        });
        app.UseWebFiles(Options);
        app.UseRouting();
        app.MapPrometheusScrapingEndpoint("/metrics");
        app.MapOrielOpenApi();

        // What RequestGuard refuses, on whichever of these routes.
        var described = app.MapGroup("")
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status421MisdirectedRequest);
        described.MapSignIn();
        described.MapSessions();
        described.MapDesktops();
        described.MapImages();
        described.MapHealth();
        described.MapStreaming();
    }

    private static string ReasonOf(int? status) =>
        status switch
        {
            400 => RequestReasons.BadRequest,
            404 => RequestReasons.NotFound,
            405 => RequestReasons.MethodNotAllowed,
            413 => RequestReasons.TooLarge,
            415 => RequestReasons.UnsupportedMediaType,
            _ => status >= 500 ? RequestReasons.Internal : RequestReasons.Refused,
        };
}

/// <summary>What a server is made of beside its options.</summary>
internal sealed record ServerParts
{
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    public required Action<ILoggingBuilder> Logging { get; init; }

    /// <summary>Null = processes of this host.</summary>
    public IKeeperHost? Keepers { get; init; }

    /// <summary>Null = those of the data directory.</summary>
    public TemplateCatalog? Templates { get; init; }

    /// <summary>
    /// Where the programs that desktops need are looked for at the start, so that the log says which are missing; null = they are not.
    /// </summary>
    public string? SearchPath { get; init; }

    public DesktopDeadlines Deadlines { get; init; } = new();
}
