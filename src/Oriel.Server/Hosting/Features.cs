using System.Net;
using Oriel.Server.Streaming;
using Oriel.Streaming;

namespace Oriel.Server.Hosting;

/// <summary>The parts of the server that are optional to the life of desktops: showing them.</summary>
internal static class Features
{
    public static void Add(WebApplicationBuilder builder, ServeOptions options) => builder.Services.AddStreaming(new StreamingOptions
    {
        Listen = new IPEndPoint(options.Bind, options.MediaPort),
        PublicAddresses = options.PublicAddresses,
    });

    public static void Map(WebApplication app) => app.MapStreaming();

    /// <summary>Ports that the features listen on; the egress refuses them to guests.</summary>
    public static IReadOnlyList<int> MediaPorts(IServiceProvider provider) => [provider.GetRequiredService<StreamingService>().Port];
}
