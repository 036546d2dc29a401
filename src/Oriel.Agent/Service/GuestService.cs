using Google.Protobuf;
using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Attestation;
using Oriel.Agent.Boot;
using Oriel.Agent.Configuration;
using Oriel.Agent.Exec;
using Oriel.Agent.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Service;

/// <summary>The Guest service: each call belongs to one feature, this class only leads there.</summary>
internal sealed class GuestService(
    AgentSessions sessions,
    GuestRenewal renewal,
    StepJournal steps,
    GuestConfigurator configurator,
    GuestObserver observer,
    ExecService exec,
    ProcessService processes,
    FileTransfers files,
    FileWatch fileWatch,
    DiskWatch disk,
    GuestEnding guestEnding,
    IHostApplicationLifetime lifetime
) : Guest.GuestBase
{
    private static readonly string AgentVersion = typeof(GuestService).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

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
        return Task.FromResult(
            new HelloReply
            {
                Session = ByteString.CopyFrom(session),
                Proof = ByteString.CopyFrom(proof),
                AgentVersion = AgentVersion,
                DesktopId = sessions.DesktopId,
            }
        );
    }

    public override async Task WatchSteps(
        WatchStepsRequest request,
        IServerStreamWriter<GuestStep> responseStream,
        ServerCallContext context
    )
    {
        await UntilEndAsync(
            context,
            async token =>
            {
                await foreach (var step in steps.WatchAsync(token))
                {
                    await responseStream.WriteAsync(step, token);
                }
            }
        );
    }

    public override Task<ConfigureReply> Configure(ConfigureRequest request, ServerCallContext context) =>
        configurator.ConfigureAsync(request, context.CancellationToken);

    public override Task<RenewReply> Renew(RenewRequest request, ServerCallContext context) => Task.FromResult(renewal.Renew(request));

    public override Task<AttestReply> Attest(AttestRequest request, ServerCallContext context) =>
        observer.AttestAsync(request, context.CancellationToken);

    public override Task Exec(
        IAsyncStreamReader<ExecInput> requestStream,
        IServerStreamWriter<ExecOutput> responseStream,
        ServerCallContext context
    ) => exec.RunAsync(requestStream, responseStream, context.CancellationToken);

    public override Task<ProcessInfo> StartProcess(ExecStart request, ServerCallContext context) =>
        processes.StartAsync(request, context.CancellationToken);

    public override Task<ProcessList> ListProcesses(ListProcessesRequest request, ServerCallContext context) =>
        Task.FromResult(processes.List());

    public override async Task WatchProcess(
        WatchProcessRequest request,
        IServerStreamWriter<ProcessOutput> responseStream,
        ServerCallContext context
    )
    {
        await UntilEndAsync(context, token => processes.WatchAsync(request, responseStream, token));
    }

    public override async Task<ProcessInfo> ControlProcess(ProcessControl request, ServerCallContext context)
    {
        var process = processes.Find(request.Id);
        await process.TakeAsync(request.Input ?? new ExecInput(), context.CancellationToken);
        return process.Info;
    }

    public override Task<ProcessInfo> RemoveProcess(RemoveProcessRequest request, ServerCallContext context) =>
        processes.RemoveAsync(request.Id, context.CancellationToken);

    public override Task<Protocol.Guest.FileInfo> PutFile(IAsyncStreamReader<PutFileChunk> requestStream, ServerCallContext context) =>
        files.PutAsync(requestStream, context.CancellationToken);

    public override Task GetFile(GetFileRequest request, IServerStreamWriter<FileChunk> responseStream, ServerCallContext context) =>
        files.GetAsync(request, responseStream, context.CancellationToken);

    public override Task<Protocol.Guest.FileInfo> StatFile(StatFileRequest request, ServerCallContext context) =>
        Task.FromResult(files.Stat(request.Path, request.OfLink));

    public override Task<FileList> ListFiles(ListFilesRequest request, ServerCallContext context) =>
        Task.FromResult(files.List(request.Path));

    public override Task<MakeDirectoryReply> MakeDirectory(MakeDirectoryRequest request, ServerCallContext context) =>
        Task.FromResult(FileTrees.Make(request, OwnerOf(request.Owner)));

    public override Task<MoveFileReply> MoveFile(MoveFileRequest request, ServerCallContext context)
    {
        FileTrees.Move(request, UserAccounts.Desktop().Home, context.CancellationToken);
        return Task.FromResult(new MoveFileReply());
    }

    public override Task<RemoveFileReply> RemoveFile(RemoveFileRequest request, ServerCallContext context)
    {
        FileTrees.Remove(request, UserAccounts.Desktop().Home, context.CancellationToken);
        return Task.FromResult(new RemoveFileReply());
    }

    public override async Task WatchFiles(
        WatchFilesRequest request,
        IServerStreamWriter<FileChange> responseStream,
        ServerCallContext context
    )
    {
        await UntilEndAsync(context, token => fileWatch.FollowAsync(request, change => responseStream.WriteAsync(change, token), token));
    }

    public override Task GetArchive(
        GetArchiveRequest request,
        IServerStreamWriter<ArchiveChunk> responseStream,
        ServerCallContext context
    ) =>
        new ArchiveDownload(chunk => responseStream.WriteAsync(chunk, context.CancellationToken), context.CancellationToken).RunAsync(
            request.Path
        );

    public override async Task<ArchiveSummary> PutArchive(IAsyncStreamReader<PutArchiveChunk> requestStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current.Header is not { } header)
        {
            throw FileFaults.Invalid("the first message must be header");
        }

        return await new ArchiveUpload(header, OwnerOf(header.Owner), context.CancellationToken).RunAsync(new ArchiveBytes(requestStream));
    }

    public override async Task WatchDisk(WatchDiskRequest request, IServerStreamWriter<DiskRoom> responseStream, ServerCallContext context)
    {
        await UntilEndAsync(context, token => disk.FollowAsync(room => responseStream.WriteAsync(room, token), token));
    }

    /// <summary>Answers immediately; that the guest has ended is seen by its keeper.</summary>
    public override Task<ShutdownReply> Shutdown(ShutdownRequest request, ServerCallContext context)
    {
        guestEnding.Begin(request.DeadlineMs);
        return Task.FromResult(new ShutdownReply());
    }

    /// <summary>A stream that lasts as long as its caller wants it, and ends in order when the guest does.</summary>
    private async Task UntilEndAsync(ServerCallContext context, Func<CancellationToken, Task> stream)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await stream(ending.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Not a fault of the call.
        }
    }

    private static FileOwner OwnerOf(string owner) =>
        FileOwner.TryParse(owner, UserAccounts.Desktop()) ?? throw FileFaults.Invalid("owner: not user, root or uid:gid");
}
