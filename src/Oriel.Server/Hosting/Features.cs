namespace Oriel.Server.Hosting;

/// <summary>The parts of the server that are optional to the life of desktops: showing them.</summary>
internal static class Features
{
    public static void Add(WebApplicationBuilder builder, ServeOptions options)
    {
    }

    public static void Map(WebApplication app)
    {
    }

    /// <summary>Ports that the features listen on; the egress refuses them to guests.</summary>
    public static IReadOnlyList<int> MediaPorts(IServiceProvider provider) => [];
}
