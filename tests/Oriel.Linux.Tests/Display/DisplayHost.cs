using System.Net.Sockets;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriel.Agent.Display;
using Oriel.Agent.Screens;
using Client = Oriel.Protocol.Display.Display.DisplayClient;

namespace Oriel.Linux.Tests.Display;

/// <summary>The Display service as the agent hosts it, over a unix socket, with a client.</summary>
internal sealed class DisplayHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly GrpcChannel _channel;
    private readonly string _directory;

    private DisplayHost(WebApplication app, GrpcChannel channel, string directory) =>
        (_app, _channel, _directory) = (app, channel, directory);

    internal Client Client => new(_channel);

    internal static async Task<DisplayHost> StartAsync(XDisplayAddress address)
    {
        var directory = Directory.CreateTempSubdirectory("oriel-display-").FullName;
        var path = Path.Combine(directory, "agent.sock");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddDisplay();
        var app = builder.Build();
        app.MapDisplay();
        await app.StartAsync();
        app.Services.GetRequiredService<XDisplay>().Announce(address);
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new DisplayHost(
            app,
            GrpcChannel.ForAddress("http://agent", new GrpcChannelOptions { HttpHandler = handler, MaxReceiveMessageSize = 64 << 20 }),
            directory
        );
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
