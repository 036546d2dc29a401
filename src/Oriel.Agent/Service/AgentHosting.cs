using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Oriel.Agent.Boot;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Service;

internal static class AgentHosting
{
    /// <summary>As AgentConnection of the server: the whole of a configure request fits.</summary>
    private const int MaxMessageBytes = 64 * 1024 * 1024;

    private const int StreamWindowBytes = 1024 * 1024;

    public static void AddGuestHosting(this WebApplicationBuilder builder, GuestBoot guest)
    {
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(guest.Console);
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("Grpc", LogLevel.Warning);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Listen(kestrel, guest));
        // All services at once: a call that streams the screen ends when the X server does, not before.
        builder.Services.Configure<HostOptions>(host => host.ServicesStopConcurrently = true);
        builder.Services.AddSingleton<GuestEnding>();
        builder.Services.AddHostedService<PowerButton>();
        builder.Services.AddSingleton(guest);
        builder.Services.AddSingleton(guest.Clock);
        builder.Services.AddSingleton(guest.Console);
        builder.Services.AddSingleton(guest.Steps);
        builder.Services.AddSingleton(guest.Reaper);
        builder.Services.AddSingleton(guest.Config);
        builder.Services.AddSingleton(guest.Options);
        builder.Services.AddSingleton(new AgentSessions(guest.Config.AgentKey, guest.Config.DesktopId));
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = MaxMessageBytes;
            grpc.MaxSendMessageSize = MaxMessageBytes;
            // The server takes nothing compressed, and sends nothing so.
            grpc.CompressionProviders.Clear();
        });
    }

    /// <summary>Refuses every call but Hello that does not carry the proof, before anything of its body is read.</summary>
    public static void UseAgentProof(this WebApplication app)
    {
        var sessions = app.Services.GetRequiredService<AgentSessions>();
        const string Hello = "/oriel.guest.v1.Guest/" + nameof(Guest.GuestClient.Hello);
        app.Use(
            (context, next) =>
            {
                var headers = context.Request.Headers;
                if (context.Request.Path == Hello || sessions.Verify(headers[AgentProof.SessionHeader], headers[AgentProof.ProofHeader]))
                {
                    return next(context);
                }

                // A trailers-only response of gRPC over HTTP/2; 16 is UNAUTHENTICATED.
                context.Response.ContentType = "application/grpc";
                context.Response.Headers["grpc-status"] = "16";
                context.Response.Headers["grpc-message"] = "the call does not prove the agent key";
                return Task.CompletedTask;
            }
        );
    }

    private static void Listen(KestrelServerOptions kestrel, GuestBoot guest)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.MaxConcurrentConnections = 64;
        // All commands, watches and viewers together: whoever is over their bound is refused, and nobody waits for another.
        kestrel.Limits.Http2.MaxStreamsPerConnection = 512;
        kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindowBytes;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 * StreamWindowBytes;
        var endpoint = guest.Options.Listen;
        if (endpoint.UnixPath is { } path)
        {
            File.Delete(path);
            kestrel.ListenUnixSocket(path, Http2);
        }
        else
        {
            kestrel.Listen(
                endpoint.Tcp!,
                listen =>
                {
                    Http2(listen);
                    listen.Use(next => connection => IsGateway(connection, guest) ? next(connection) : Refuse(connection));
                }
            );
        }

        guest.Console.Write("info", "agent", $"listening on {endpoint}");
    }

    private static void Http2(ListenOptions listen) => listen.Protocols = HttpProtocols.Http2;

    private static bool IsGateway(ConnectionContext connection, GuestBoot guest)
    {
        var remote = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        var allowed = remote is not null && AgentOptions.Gateway.Equals(remote.IsIPv4MappedToIPv6 ? remote.MapToIPv4() : remote);
        if (!allowed)
        {
            guest.Console.Write("warn", "agent", $"refused a connection from {connection.RemoteEndPoint}");
        }

        return allowed;
    }

    private static Task Refuse(ConnectionContext connection)
    {
        connection.Abort(new ConnectionAbortedException("Only the gateway may connect."));
        return Task.CompletedTask;
    }
}
