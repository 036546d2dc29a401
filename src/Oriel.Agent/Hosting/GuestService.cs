using Google.Protobuf;
using Grpc.Core;
using Oriel.Agent.Attestation;
using Oriel.Agent.Configuration;
using Oriel.Protocol;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Hosting;

/// <summary>The Guest service: each call belongs to one feature, this class only leads there.</summary>
internal sealed class GuestService(
    AgentSessions sessions,
    BootConfig config,
    StepJournal steps,
    GuestConfigurator configurator,
    Attestor attestor,
    IHostApplicationLifetime lifetime) : Guest.GuestBase
{
    private static readonly string _version = typeof(GuestService).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    public override Task<HelloReply> Hello(HelloRequest request, ServerCallContext context)
    {
        if (request.Protocol != AgentProof.ProtocolName)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, $"this agent speaks {AgentProof.ProtocolName}"));
        }

        if (request.ClientNonce.Length != AgentProof.NonceLength)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"client_nonce must be {AgentProof.NonceLength} bytes"));
        }

        var (session, proof) = sessions.Open(request.ClientNonce.Span);
        return Task.FromResult(new HelloReply
        {
            Session = ByteString.CopyFrom(session),
            Proof = ByteString.CopyFrom(proof),
            AgentVersion = _version,
            DesktopId = config.DesktopId,
        });
    }

    public override async Task WatchSteps(WatchStepsRequest request, IServerStreamWriter<GuestStep> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await foreach (var step in steps.WatchAsync(ending.Token))
            {
                await responseStream.WriteAsync(step, ending.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The guest ends: so does the stream, in order.
        }
    }

    public override Task<ConfigureReply> Configure(ConfigureRequest request, ServerCallContext context) =>
        configurator.ConfigureAsync(request, context.CancellationToken);

    public override Task<AttestReply> Attest(AttestRequest request, ServerCallContext context) =>
        attestor.AttestAsync(request, context.CancellationToken);

    public override Task<ShutdownReply> Shutdown(ShutdownRequest request, ServerCallContext context)
    {
        lifetime.StopApplication();
        return Task.FromResult(new ShutdownReply());
    }
}
