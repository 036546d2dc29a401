using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Streaming.Agents;

namespace Oriel.Tests.Streaming;

/// <summary>An agent's socket: Hello and the Display service on a real unix socket, which can break and come back.</summary>
internal sealed class PlayedAgent : IAgentLinks, IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-agent").FullName;
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly AgentLink _link;
    private readonly Channel<DesktopNotice> _notices = Channel.CreateUnbounded<DesktopNotice>();
    private WebApplication? _host;

    private PlayedAgent() => _link = new AgentLink(SocketPath, _key);

    public DesktopId Desktop { get; } = DesktopId.New();

    public PlayedDisplay Display { get; } = new();

    public volatile DesktopAvailability Availability = DesktopAvailability.Ready;

    public int Viewers;

    public int Uses;

    public (int Width, int Height) Size { get; private set; }

    private string SocketPath => Path.Combine(_directory, "agent.sock");

    public static async Task<PlayedAgent> StartAsync()
    {
        var agent = new PlayedAgent();
        await agent.ListenAsync();
        return agent;
    }

    public async Task ListenAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(SocketPath, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = AgentConnection.MaxMessageBytes);
        builder.Services.AddSingleton(Display);
        builder.Services.AddSingleton(new Greeter(_key));
        _host = builder.Build();
        _host.MapGrpcService<PlayedDisplay>();
        _host.MapGrpcService<Greeter>();
        await _host.StartAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Breaks every connection, as a keeper's relay does that ends.</summary>
    public async Task BreakAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _host!.StopAsync(now.Token);
        await _host.DisposeAsync();
        _host = null;
        File.Delete(SocketPath);
    }

    public Task WakeAsync(DesktopId id, CancellationToken cancellationToken) => Task.CompletedTask;

    public DesktopAvailability Look(DesktopId id) => id == Desktop ? Availability : DesktopAvailability.Unknown;

    public ValueTask<AgentConnection> ConnectAsync(DesktopId id, CancellationToken cancellationToken) =>
        _link.ConnectAsync(cancellationToken);

    public async IAsyncEnumerable<DesktopNotice> WatchAsync(DesktopId id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new DesktopNotice("ready", null, null, IsGone: false);
        await foreach (var notice in _notices.Reader.ReadAllAsync(cancellationToken))
        {
            yield return notice;
        }
    }

    /// <summary>The desktop fails, as the registry would tell.</summary>
    public void Fail()
    {
        Availability = DesktopAvailability.Gone;
        _notices.Writer.TryWrite(new DesktopNotice("failed", "guest-exited", "The guest ended.", IsGone: true));
    }

    public void Used(DesktopId id) => Interlocked.Increment(ref Uses);

    public void Resized(DesktopId id, int width, int height) => Size = (width, height);

    public void ViewerJoined(DesktopId id) => Interlocked.Increment(ref Viewers);

    public void ViewerLeft(DesktopId id) => Interlocked.Decrement(ref Viewers);

    public async ValueTask DisposeAsync()
    {
        _link.Dispose();
        if (_host is { } host)
        {
            await host.StopAsync(new CancellationToken(canceled: true));
            await host.DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private sealed class Greeter(byte[] key) : Guest.GuestBase
    {
        public override Task<HelloReply> Hello(HelloRequest request, ServerCallContext context)
        {
            var session = RandomNumberGenerator.GetBytes(AgentProof.NonceLength);
            var proof = AgentProof.OfAgent(key, request.ClientNonce.Span, session);
            return Task.FromResult(
                new HelloReply
                {
                    Session = ByteString.CopyFrom(session),
                    Proof = ByteString.CopyFrom(proof),
                    AgentVersion = "played",
                }
            );
        }
    }
}
