using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Variables;
using Oriel.Linux.Processes;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>Starts what callers ask for.</summary>
internal sealed class CommandStarter(ChildReaper reaper, SessionEnvironment environment, TimeProvider clock)
{
    /// <exception cref="RpcException">InvalidArgument: names the field.</exception>
    public ExecSpec Read(ExecStart start)
    {
        var (spec, fault) = ExecSpec.Create(start, environment, UserAccounts.Find);
        return spec ?? throw new RpcException(new Status(StatusCode.InvalidArgument, fault));
    }

    /// <param name="output">Gets what the command writes, one message at a time.</param>
    /// <returns>The command, to be run and disposed.</returns>
    /// <exception cref="IOException">It could not be started.</exception>
    public async Task<RunningCommand> StartAsync(
        ExecSpec spec,
        Func<ExecOutput, CancellationToken, Task> output,
        CancellationToken cancellationToken
    )
    {
        ExecStreams? streams = null;
        try
        {
            (streams, var spawn) = ExecStreams.Open(spec);
            // Spawn blocks for some milliseconds.
            var child = await Task.Run(() => reaper.Spawn(spawn), cancellationToken);
            streams.CloseChildEnds();
            return new RunningCommand(streams, child, spec, output, clock);
        }
        catch
        {
            streams?.Dispose();
            throw;
        }
    }
}
