namespace Oriel.Tests.Server;

/// <summary>A server shared by tests whose requests it refuses: it never has a desktop.</summary>
public sealed class EmptyServer : IAsyncLifetime
{
    internal TestServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
