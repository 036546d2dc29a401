using System.Globalization;
using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>
/// The processes that callers started and did not wait for. At most <see cref="Most"/> are known; for a new one the oldest that has ended
/// is forgotten. Safe for concurrent use.
/// </summary>
internal sealed class ProcessService(CommandStarter starter, TimeProvider clock, IHostApplicationLifetime lifetime)
{
    public const int Most = 64;

    private const int MostWatches = 64;

    /// <summary>Of the output of each.</summary>
    private const int KeptBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _watches = new(MostWatches, MostWatches);
    private readonly List<GuestProcess> _processes = [];
    private long _number;
    private int _starting;

    /// <exception cref="RpcException">
    /// InvalidArgument: names the field, or says why it could not be started. ResourceExhausted: too many are running.
    /// </exception>
    public async Task<ProcessInfo> StartAsync(ExecStart start, CancellationToken cancellationToken)
    {
        if (start is { Pty: true, Command.Length: 0, Args.Count: 0 })
        {
            start.Command = UserAccounts.Find(start.User.Length > 0 ? start.User : UserAccounts.DesktopUser)?.Shell ?? "/bin/sh";
            start.Args.Add("-l");
        }

        var spec = starter.Read(start);
        var id = Reserve();
        try
        {
            var log = new OutputLog(KeptBytes);
            var command = await starter.StartAsync(spec, log.AppendAsync, cancellationToken);
            var process = new GuestProcess(id, start, log, command, clock);
            _ = process.RunAsync(lifetime.ApplicationStopping);
            Enter(process);
            return process.Info;
        }
        catch (IOException e)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"could not start: {e.Message}"));
        }
        finally
        {
            Interlocked.Decrement(ref _starting);
        }
    }

    public ProcessList List()
    {
        lock (_lock)
        {
            return new ProcessList { Processes = { _processes.Select(process => process.Info) } };
        }
    }

    /// <exception cref="RpcException">NotFound.</exception>
    public GuestProcess Find(string id)
    {
        lock (_lock)
        {
            return _processes.Find(process => process.Id == id)
                ?? throw new RpcException(new Status(StatusCode.NotFound, "there is no such process"));
        }
    }

    /// <exception cref="RpcException">NotFound. ResourceExhausted: too many watch.</exception>
    public async Task WatchAsync(
        WatchProcessRequest request,
        IServerStreamWriter<ProcessOutput> writer,
        CancellationToken cancellationToken
    )
    {
        var process = Find(request.Id);
        if (!await _watches.WaitAsync(TimeSpan.Zero, cancellationToken))
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{MostWatches} watch the output of processes"));
        }

        try
        {
            await process.WatchAsync(request.From, request.Follow, writer, cancellationToken);
        }
        finally
        {
            _watches.Release();
        }
    }

    /// <summary>Kills it where it runs, and forgets it.</summary>
    /// <exception cref="RpcException">NotFound.</exception>
    public async Task<ProcessInfo> RemoveAsync(string id, CancellationToken cancellationToken)
    {
        var process = Find(id);
        await process.KillAsync(cancellationToken);
        lock (_lock)
        {
            _processes.Remove(process);
        }

        return process.Info;
    }

    /// <returns>The id of one more.</returns>
    private string Reserve()
    {
        lock (_lock)
        {
            if (_processes.Count(process => !process.HasEnded) + _starting >= Most)
            {
                throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{Most} processes are running"));
            }

            _starting++;
            return string.Create(CultureInfo.InvariantCulture, $"p{++_number}");
        }
    }

    private void Enter(GuestProcess process)
    {
        lock (_lock)
        {
            _processes.Add(process);
            if (_processes.Count > Most && _processes.Find(other => other.HasEnded) is { } oldest)
            {
                _processes.Remove(oldest);
            }
        }
    }
}
