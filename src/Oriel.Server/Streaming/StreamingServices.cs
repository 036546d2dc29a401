using Microsoft.Extensions.DependencyInjection.Extensions;
using Oriel.Server.Health;
using Oriel.Streaming;
using Oriel.Streaming.Agents;
using Oriel.Streaming.Settings;

namespace Oriel.Server.Streaming;

internal static class StreamingServices
{
    /// <summary>
    /// Adds media: the endpoint is bound when the host starts. Watches this node's desktops unless another <see cref="IAgentLinks"/> is
    /// there.
    /// </summary>
    public static IServiceCollection AddStreaming(this IServiceCollection services, StreamingOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<StreamingMetrics>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IAgentLinks, DesktopAgentLinks>();
        services.AddSingleton<StreamingService>();
        services.AddSingleton<IHealthProbe, MediaPortProbe>();
        services.AddHostedService<StreamingLifetime>();
        return services;
    }

    private sealed class MediaPortProbe(StreamingService streaming) : IHealthProbe
    {
        public string Name => "media";

        public ValueTask<string?> CheckAsync(CancellationToken cancellationToken) =>
            ValueTask.FromResult(streaming.Port == 0 ? "The media port is not bound: nobody could see a desktop." : null);
    }

    private sealed class StreamingLifetime(StreamingService streaming, ILogger<StreamingLifetime> logger) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            await streaming.StartAsync(cancellationToken);
            logger.LogInformation("Media is served on UDP and TCP port {Port}.", streaming.Port);
        }

        public Task StopAsync(CancellationToken cancellationToken) => streaming.DisposeAsync().AsTask();
    }
}
