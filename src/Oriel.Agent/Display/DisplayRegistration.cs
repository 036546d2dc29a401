using Oriel.Agent.Clipboard;
using Oriel.Agent.Input;
using Oriel.Agent.Screens;

namespace Oriel.Agent.Display;

internal static class DisplayRegistration
{
    /// <summary>The screen's services. The caller has added gRPC, and <see cref="XDisplay"/> is there or is added here.</summary>
    internal static IServiceCollection AddDisplay(this IServiceCollection services)
    {
        Microsoft.Extensions.DependencyInjection.Extensions.ServiceCollectionDescriptorExtensions.TryAddSingleton<XDisplay>(services);
        services.AddSingleton<PointerPosition>();
        services.AddSingleton<SharedKeys>();
        services.AddSingleton<ScreenMonitor>();
        services.AddHostedService(provider => provider.GetRequiredService<ScreenMonitor>());
        services.AddSingleton<ClipboardMonitor>();
        services.AddHostedService(provider => provider.GetRequiredService<ClipboardMonitor>());
        return services;
    }

    internal static WebApplication MapDisplay(this WebApplication app)
    {
        app.MapGrpcService<DisplayService>();
        return app;
    }
}
