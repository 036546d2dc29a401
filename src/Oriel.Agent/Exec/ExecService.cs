using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Variables;
using Oriel.Linux;
using Oriel.Linux.Processes;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>Starts commands for callers, at most <see cref="MaxConcurrent"/> at a time.</summary>
internal sealed class ExecService(ChildReaper reaper, SessionEnvironment environment, TimeProvider clock, IHostApplicationLifetime lifetime)
{
    public const int MaxConcurrent = 64;
    private const int NotFound = 127;
    private const int NotExecutable = 126;

    private readonly SemaphoreSlim _places = new(MaxConcurrent, MaxConcurrent);

    /// <exception cref="RpcException">InvalidArgument: names the field. ResourceExhausted: too many at a time.</exception>
    public async Task RunAsync(
        IAsyncStreamReader<ExecInput> input,
        IServerStreamWriter<ExecOutput> output,
        CancellationToken cancellationToken
    )
    {
        if (!await input.MoveNext(cancellationToken) || input.Current.KindCase != ExecInput.KindOneofCase.Start)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be start"));
        }

        var (spec, fault) = ExecSpec.Create(input.Current.Start, environment, UserAccounts.Find);
        if (spec is null)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, fault));
        }

        if (!await _places.WaitAsync(TimeSpan.Zero, cancellationToken))
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{MaxConcurrent} commands are running"));
        }

        try
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
            await RunAsync(spec, input, output, ending.Token);
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task RunAsync(
        ExecSpec spec,
        IAsyncStreamReader<ExecInput> input,
        IServerStreamWriter<ExecOutput> output,
        CancellationToken cancellationToken
    )
    {
        ExecStreams? streams = null;
        Child child;
        try
        {
            (streams, var spawn) = ExecStreams.Open(spec);
            // Spawn blocks for some milliseconds.
            child = await Task.Run(() => reaper.Spawn(spawn), cancellationToken);
            streams.CloseChildEnds();
        }
        catch (IOException e)
        {
            streams?.Dispose();
            var code = e is LinuxException { Errno: Errno.ENOENT } ? NotFound : NotExecutable;
            await output.WriteAsync(
                new ExecOutput
                {
                    Exit = new ExecExit { ExitCode = code, Error = $"could not start: {e.Message}" },
                },
                cancellationToken
            );
            return;
        }

        using var call = new ExecCall(streams, child, spec, output, clock);
        await call.RunAsync(input, cancellationToken);
    }
}
