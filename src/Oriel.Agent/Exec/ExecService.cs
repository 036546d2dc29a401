using Grpc.Core;
using Oriel.Linux;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>Runs commands for callers that wait for their exit, at most <see cref="MaxConcurrent"/> at a time.</summary>
internal sealed class ExecService(CommandStarter starter, IHostApplicationLifetime lifetime)
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

        var spec = starter.Read(input.Current.Start);
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
        RunningCommand started;
        try
        {
            started = await starter.StartAsync(spec, output.WriteAsync, cancellationToken);
        }
        catch (IOException e)
        {
            var code = e is LinuxException { Errno: Errno.ENOENT } ? NotFound : NotExecutable;
            var failed = new ExecExit { ExitCode = code, Error = $"could not start: {e.Message}" };
            await output.WriteAsync(new ExecOutput { Exit = failed }, cancellationToken);
            return;
        }

        using var command = started;
        await output.WriteAsync(new ExecOutput { Pid = command.Pid }, cancellationToken);
        var exit = await command.RunAsync(ended => FeedAsync(command, input, ended), cancellationToken);
        await output.WriteAsync(new ExecOutput { Exit = exit }, cancellationToken);
    }

    private static async Task FeedAsync(RunningCommand command, IAsyncStreamReader<ExecInput> input, CancellationToken cancellationToken)
    {
        try
        {
            while (await input.MoveNext(cancellationToken))
            {
                await command.TakeAsync(input.Current, cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or RpcException or InvalidOperationException)
        {
            // The command has ended, or the caller went away; the other side of the call says so.
        }
        finally
        {
            command.EndInput();
        }
    }
}
