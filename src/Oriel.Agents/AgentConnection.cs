using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;

namespace Oriel.Agents;

/// <summary>
/// An authenticated link to one desktop's agent, over the unix socket that its keeper relays. Both ends have proven the agent key;
/// all calls share one HTTP/2 connection. Safe for concurrent use; the owner disposes it.
/// </summary>
public sealed class AgentConnection : IDisposable
{
    /// <summary>Largest message that is sent: the whole of a configure request fits. What comes has <see cref="CallBounds"/>.</summary>
    public const int MaxMessageBytes = 64 * 1024 * 1024;

    private readonly GrpcChannel _channel;
    private readonly StrongBox<int> _dials;

    private AgentConnection(GrpcChannel channel, CallInvoker invoker, StrongBox<int> dials, string agentVersion, AgentPatience patience)
    {
        Patience = patience;
        AgentVersion = ForeignWords.Of(agentVersion, ForeignWords.Name);
        _channel = channel;
        _dials = dials;
        Guest = new Guest.GuestClient(invoker);
        Display = new Display.DisplayClient(invoker);
    }

    public string AgentVersion { get; }

    public AgentPatience Patience { get; }

    public AgentBudget Budget { get; } = new();

    /// <summary>True once the connection that the proofs were made on is lost: open a new one, with new proofs.</summary>
    public bool IsBroken => Volatile.Read(ref _dials.Value) > 1;

    public Guest.GuestClient Guest { get; }

    public Display.DisplayClient Display { get; }

    /// <param name="broken">Told of an answer that no agent gives, by whichever call; it may come more than once.</param>
    /// <exception cref="RpcException">The socket does not answer (yet), or refuses.</exception>
    /// <exception cref="AgentIdentityException">Something answers that does not know the agent key.</exception>
    public static async Task<AgentConnection> OpenAsync(
        string socketPath,
        ReadOnlyMemory<byte> agentKey,
        CancellationToken cancellationToken,
        AgentPatience? patience = null,
        Action<AgentUntrustedException>? broken = null
    )
    {
        patience ??= new AgentPatience();
        var dials = new StrongBox<int>();
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                Interlocked.Increment(ref dials.Value);
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), token);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = 4 * 1024 * 1024,
            UseProxy = false,
        };
        var channel = GrpcChannel.ForAddress(
            "http://agent",
            new GrpcChannelOptions
            {
                HttpHandler = new AgentBorder(handler, TimeProvider.System, broken ?? (_ => { })),
                DisposeHttpClient = true,
                // None: what is compressed has no bound but that of what it unpacks to.
                CompressionProviders = [],
                // The border knows the call, and is asked first.
                MaxReceiveMessageSize = null,
                MaxSendMessageSize = MaxMessageBytes,
            }
        );
        var timed = channel.Intercept(new AgentPatience.Deadlines(patience.Answer), new AgentWrites());
        try
        {
            var nonce = RandomNumberGenerator.GetBytes(AgentProof.NonceLength);
            var hello = await new Guest.GuestClient(timed).HelloAsync(
                new HelloRequest { ClientNonce = ByteString.CopyFrom(nonce), Protocol = AgentProof.ProtocolName },
                cancellationToken: cancellationToken
            );
            var session = hello.Session.ToByteArray();
            var expected = AgentProof.OfAgent(agentKey.Span, nonce, session);
            if (session.Length != AgentProof.NonceLength || !CryptographicOperations.FixedTimeEquals(expected, hello.Proof.Span))
            {
                throw new AgentIdentityException();
            }

            var headers = (
                Session: Convert.ToHexStringLower(session),
                Proof: Convert.ToHexStringLower(AgentProof.OfServer(agentKey.Span, nonce, session))
            );
            var invoker = timed.Intercept(metadata =>
            {
                metadata.Add(AgentProof.SessionHeader, headers.Session);
                metadata.Add(AgentProof.ProofHeader, headers.Proof);
                return metadata;
            });
            return new AgentConnection(channel, invoker, dials, hello.AgentVersion, patience);
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    public void Dispose() => _channel.Dispose();
}
