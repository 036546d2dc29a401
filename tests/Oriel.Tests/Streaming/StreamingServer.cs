using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriel.Server.Http;
using Oriel.Server.Streaming;
using Oriel.Streaming;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Settings;

namespace Oriel.Tests.Streaming;

/// <summary>The streaming endpoints alone, over a played agent, on ports of their own; and one page to watch with.</summary>
internal sealed class StreamingServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StreamingServer(WebApplication app, PlayedAgent agent)
    {
        _app = app;
        Agent = agent;
        Address = new Uri(app.Urls.First());
        Http = new HttpClient { BaseAddress = Address };
    }

    public PlayedAgent Agent { get; }

    public Uri Address { get; }

    public HttpClient Http { get; }

    public string DesktopPath => $"/api/desktops/{Agent.Desktop}";

    public StreamingService Streaming => _app.Services.GetRequiredService<StreamingService>();

    public static async Task<StreamingServer> StartAsync(Func<StreamingOptions, StreamingOptions>? configure = null)
    {
        var agent = await PlayedAgent.StartAsync();
        var options = new StreamingOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0), Grace = TimeSpan.FromSeconds(1) };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (Environment.GetEnvironmentVariable("ORIEL_TEST_LOG") is not null)
        {
            builder.Logging.AddConsole().SetMinimumLevel(LogLevel.Debug);
        }

        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton<IAgentLinks>(agent);
        builder.Services.AddStreaming(configure?.Invoke(options) ?? options);
        var app = builder.Build();
        app.UseUnreadableRequests();
        app.UseWebSockets();
        app.MapStreaming();
        app.MapGet(
            "/page",
            () =>
            {
                using var reader = new StreamReader(typeof(StreamingServer).Assembly.GetManifestResourceStream("page.html")!);
                return Results.Content(reader.ReadToEnd(), "text/html");
            }
        );
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new StreamingServer(app, agent);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await Agent.DisposeAsync();
    }
}
