using System.Net;
using Oriel.Server.Configuration;
using Oriel.Streaming;
using Oriel.Streaming.Settings;

namespace Oriel.Server.Streaming;

/// <summary>Shows desktops; nothing of their life depends on it.</summary>
internal static class StreamingSetup
{
    public static void Add(WebApplicationBuilder builder, ServeOptions options) =>
        builder.Services.AddStreaming(
            new StreamingOptions { Listen = new IPEndPoint(options.Bind, options.MediaPort), PublicAddresses = options.PublicAddresses }
        );

    /// <summary>Ports that it listens on; the egress refuses them to guests.</summary>
    public static IReadOnlyList<int> MediaPorts(IServiceProvider provider) => [provider.GetRequiredService<StreamingService>().Port];
}
