using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriel.Agents;
using Oriel.Desktops.Attestation;
using Oriel.Egress.Sessions;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Tests.Streaming;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Tests.Server;

/// <summary>
/// A second implementation of the agent's contract, for what a real one never does: it answers on the bundle's agent socket with the key of
/// the spec, keeps what it is configured with and attests exactly that, unless a test makes it answer otherwise. Nothing runs in it; it has
/// <see cref="PlayedFiles"/>.
/// </summary>
internal sealed class PlayedGuest : IAsyncDisposable
{
    public const int Width = Recording.Width;
    public const int Height = Recording.Height;

    private readonly List<GuestStep> _steps = [new GuestStep { Name = "x-server", State = StepState.Done }];
    private TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication? _host;
    private ConfigureRequest _configured = new();
    private byte[]? _key;

    public PlayedDisplay Display { get; init; } =
        new()
        {
            Windows =
            [
                new Window
                {
                    Id = 1,
                    Title = "CLI Terminal",
                    WindowClass = "xfce4-terminal",
                    Width = 100,
                    Height = 100,
                    Mapped = true,
                },
                new Window
                {
                    Id = 2,
                    Title = "New Tab",
                    WindowClass = "chromium",
                    Width = 100,
                    Height = 100,
                    Mapped = true,
                },
            ],
        };

    public PlayedFiles Files { get; init; } = new();

    public PlayedProcesses Processes { get; init; } = new();

    /// <summary>Told before anything else, beside what a real agent tells.</summary>
    public IReadOnlyList<GuestStep> FirstSteps
    {
        init => _steps.AddRange(value);
    }

    /// <summary>Changes an attestation before it is sent.</summary>
    public Action<AttestReply> Attesting { get; init; } = _ => { };

    /// <summary>Comes before each call, with its name (such as <c>Configure</c>): may hold it, break it, or end the guest.</summary>
    public Func<string, ServerCallContext, Task> Calling { get; init; } = (_, _) => Task.CompletedTask;

    /// <summary>Changes any single reply before it is sent.</summary>
    public Action<object> Replying { get; init; } = _ => { };

    /// <summary>Of the machine that it goes on from, which it knows until it is renewed.</summary>
    public byte[] FormerKey
    {
        init => _key = value;
    }

    /// <summary>Room on its disk, as it is told from now on.</summary>
    public DiskRoom Disk
    {
        get;
        set
        {
            lock (_steps)
            {
                field = value;
                Wake();
            }
        }
    } =
        new()
        {
            TotalBytes = 8L << 30,
            FreeBytes = 7L << 30,
            TotalFiles = 500_000,
            FreeFiles = 400_000,
        };

    /// <summary>How often somebody began to watch its disk.</summary>
    public int DiskWatches { get; private set; }

    /// <summary>The session ends, as the agent tells it.</summary>
    public void EndSession() =>
        Tell(
            new GuestStep
            {
                Name = "session",
                State = StepState.Failed,
                Detail = "X server (pid 7) ended: exit code 1",
            }
        );

    /// <summary>A guest that goes on from where this one is: it knows the same key, and what it was configured with.</summary>
    public PlayedGuest Copy(Action<AttestReply>? attesting = null) =>
        new()
        {
            _configured = _configured,
            _key = _key,
            Attesting = attesting ?? (_ => { }),
        };

    public async Task ListenAsync(KeeperSpec spec, CancellationToken cancellationToken)
    {
        _key ??= spec.AgentKey;
        // Nothing but the server: settings and their watchers are most of what another builder costs.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRouting();
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(kestrel =>
                kestrel.ListenUnixSocket(new Bundle(spec.Bundle).AgentSocket, listen => listen.Protocols = HttpProtocols.Http2)
            );
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = AgentConnection.MaxMessageBytes;
            grpc.Interceptors.Add<Border>(this);
        });
        builder.Services.AddSingleton(Display);
        builder.Services.AddSingleton(new Service(this, spec));
        if (spec.Warm is not null)
        {
            Tell(new GuestStep { Name = "session", State = StepState.Done });
        }

        _host = builder.Build();
        _host.MapGrpcService<PlayedDisplay>();
        _host.MapGrpcService<Service>();
        await _host.StartAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is { } host)
        {
            await host.StopAsync(new CancellationToken(canceled: true));
            await host.DisposeAsync();
        }
    }

    /// <summary>Tells of a step, to all who watch.</summary>
    public void Tell(GuestStep step)
    {
        lock (_steps)
        {
            _steps.Add(step);
            Wake();
        }
    }

    private void Wake()
    {
        _told.TrySetResult();
        _told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Where a test gets between the guest and the server.</summary>
    private sealed class Border(PlayedGuest guest) : Interceptor
    {
        public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request,
            ServerCallContext context,
            UnaryServerMethod<TRequest, TResponse> continuation
        )
        {
            await CallAsync(context);
            var reply = await continuation(request, context);
            guest.Replying(reply);
            return reply;
        }

        public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            ServerStreamingServerMethod<TRequest, TResponse> continuation
        )
        {
            await CallAsync(context);
            await continuation(request, responseStream, context);
        }

        public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            DuplexStreamingServerMethod<TRequest, TResponse> continuation
        )
        {
            await CallAsync(context);
            await continuation(requestStream, responseStream, context);
        }

        private Task CallAsync(ServerCallContext context) =>
            guest.Calling(context.Method[(context.Method.LastIndexOf('/') + 1)..], context);
    }

    private sealed class Service(PlayedGuest guest, KeeperSpec spec) : Guest.GuestBase
    {
        public override Task<HelloReply> Hello(HelloRequest request, ServerCallContext context)
        {
            var session = RandomNumberGenerator.GetBytes(AgentProof.NonceLength);
            var proof = AgentProof.OfAgent(guest._key!, request.ClientNonce.Span, session);
            return Task.FromResult(
                new HelloReply
                {
                    Session = ByteString.CopyFrom(session),
                    Proof = ByteString.CopyFrom(proof),
                    AgentVersion = "played",
                    DesktopId = spec.DesktopId,
                }
            );
        }

        public override async Task WatchSteps(
            WatchStepsRequest request,
            IServerStreamWriter<GuestStep> responses,
            ServerCallContext context
        )
        {
            try
            {
                for (var next = 0; ; )
                {
                    GuestStep[] fresh;
                    Task more;
                    lock (guest._steps)
                    {
                        fresh = [.. guest._steps.Skip(next)];
                        more = guest._told.Task;
                    }

                    foreach (var step in fresh)
                    {
                        await responses.WriteAsync(step, context.CancellationToken);
                    }

                    next += fresh.Length;
                    await more.WaitAsync(context.CancellationToken);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or InvalidOperationException)
            {
                // The server looks no more.
            }
        }

        public override async Task WatchDisk(WatchDiskRequest request, IServerStreamWriter<DiskRoom> responses, ServerCallContext context)
        {
            guest.DiskWatches++;
            try
            {
                while (true)
                {
                    DiskRoom room;
                    Task more;
                    lock (guest._steps)
                    {
                        (room, more) = (guest.Disk, guest._told.Task);
                    }

                    await responses.WriteAsync(room, context.CancellationToken);
                    await more.WaitAsync(context.CancellationToken);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or InvalidOperationException)
            {
                // The server looks no more.
            }
        }

        public override Task<RenewReply> Renew(RenewRequest request, ServerCallContext context)
        {
            guest._key = request.AgentKey.IsEmpty ? guest._key : request.AgentKey.ToByteArray();
            return Task.FromResult(new RenewReply { SinceBootUs = -1 });
        }

        public override Task<ConfigureReply> Configure(ConfigureRequest request, ServerCallContext context)
        {
            guest._configured = request;
            guest.Tell(new GuestStep { Name = "session", State = StepState.Done });
            var reply = new ConfigureReply();
            reply.Files.AddRange(request.Files.Select(Proof));
            return Task.FromResult(reply);
        }

        public override Task<AttestReply> Attest(AttestRequest request, ServerCallContext context)
        {
            var environment = Oriel
                .Desktops.Attestation.ExpectedEnvironment.Proxy(guest._configured.Hostname)
                .Concat(guest._configured.Env)
                .ToDictionary();
            var reply = new AttestReply
            {
                Hostname = guest._configured.Hostname,
                TimeZone = guest._configured.TimeZone,
                KeyboardLayout = guest._configured.KeyboardLayout,
                CanaryStatus = 200,
                CanaryBody = EgressSession.CanaryBody(spec.EgressKey, request.CanaryNonce),
            };
            reply.Files.AddRange(guest._configured.Files.Where(file => request.Paths.Contains(file.Path)).Select(Proof));
            foreach (var name in request.EnvNames.Where(environment.ContainsKey))
            {
                var seen = new ObservedEnv { Name = name };
                foreach (var observer in (string[])["login", "session", "exec"])
                {
                    seen.SeenBy[observer] = environment[name];
                }

                reply.Env.Add(seen);
            }

            guest.Attesting(reply);
            return Task.FromResult(reply);
        }

        public override Task Exec(
            IAsyncStreamReader<ExecInput> requests,
            IServerStreamWriter<ExecOutput> responses,
            ServerCallContext context
        ) => PlayedFiles.ExecAsync(requests, responses, context.CancellationToken);

        public override Task<ProcessInfo> StartProcess(ExecStart request, ServerCallContext context) =>
            Task.FromResult(guest.Processes.Start(request));

        public override Task<ProcessList> ListProcesses(ListProcessesRequest request, ServerCallContext context) =>
            Task.FromResult(new ProcessList { Processes = { guest.Processes.Info } });

        public override Task WatchProcess(
            WatchProcessRequest request,
            IServerStreamWriter<ProcessOutput> responses,
            ServerCallContext context
        ) => guest.Processes.WatchAsync(request, responses, context.CancellationToken);

        public override Task<ProcessInfo> ControlProcess(ProcessControl request, ServerCallContext context) =>
            Task.FromResult(guest.Processes.Take(request));

        public override Task<ProcessInfo> RemoveProcess(RemoveProcessRequest request, ServerCallContext context) =>
            Task.FromResult(guest.Processes.Find(request.Id));

        public override Task<FileInfo> PutFile(IAsyncStreamReader<PutFileChunk> requests, ServerCallContext context) =>
            guest.Files.PutAsync(requests, context.CancellationToken);

        public override Task GetFile(GetFileRequest request, IServerStreamWriter<FileChunk> responses, ServerCallContext context) =>
            guest.Files.GetAsync(request, responses, context.CancellationToken);

        public override Task<FileInfo> StatFile(StatFileRequest request, ServerCallContext context) =>
            Task.FromResult(guest.Files.Stat(request.Path, request.OfLink));

        public override Task<FileList> ListFiles(ListFilesRequest request, ServerCallContext context) =>
            Task.FromResult(guest.Files.List());

        public override Task<MakeDirectoryReply> MakeDirectory(MakeDirectoryRequest request, ServerCallContext context) =>
            Task.FromResult(guest.Files.Make(request));

        public override Task<MoveFileReply> MoveFile(MoveFileRequest request, ServerCallContext context) =>
            Task.FromResult(guest.Files.Move(request));

        public override Task<RemoveFileReply> RemoveFile(RemoveFileRequest request, ServerCallContext context) =>
            Task.FromResult(guest.Files.Remove(request));

        public override async Task WatchFiles(
            WatchFilesRequest request,
            IServerStreamWriter<FileChange> responses,
            ServerCallContext context
        )
        {
            try
            {
                await guest.Files.WatchAsync(
                    request,
                    change => responses.WriteAsync(change, context.CancellationToken),
                    context.CancellationToken
                );
            }
            catch (Exception e) when (e is OperationCanceledException or InvalidOperationException)
            {
                // The server looks no more.
            }
        }

        public override Task GetArchive(
            GetArchiveRequest request,
            IServerStreamWriter<ArchiveChunk> responses,
            ServerCallContext context
        ) => guest.Files.GetArchiveAsync(request.Path, responses, context.CancellationToken);

        public override Task<ArchiveSummary> PutArchive(IAsyncStreamReader<PutArchiveChunk> requests, ServerCallContext context) =>
            guest.Files.PutArchiveAsync(requests, context.CancellationToken);

        private static FileProof Proof(ConfiguredFile file) =>
            new()
            {
                Path = file.Path,
                Sha256 = ByteString.CopyFrom(SHA256.HashData(file.Content.Span)),
                Size = file.Content.Length,
                Mode = file.Mode,
                Uid = file.Owner == "root" ? 0u : 1000u,
                Gid = file.Owner == "root" ? 0u : 1000u,
            };
    }
}
