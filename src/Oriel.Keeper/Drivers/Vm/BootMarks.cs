using Oriel.Keeper.Logs;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>
/// How far a guest has come, reported by the initramfs on its console (src/Oriel.Images/Disks/init). The guest could say anything; it would
/// only deceive its own start.
/// </summary>
internal sealed class BootMarks : IDisposable
{
    private const string Prefix = "oriel-init: ";
    private const string FailedPrefix = Prefix + "failed: ";
    private readonly ConsoleLog _console;
    private readonly TaskCompletionSource<string> _kernel = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _root = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public BootMarks(ConsoleLog console)
    {
        _console = console;
        _console.LineWritten += OnLine;
    }

    /// <summary>The kernel has started its first program. Its result: the guest's uptime in seconds.</summary>
    public Task<string> Kernel => _kernel.Task;

    /// <summary>The disks are mounted, the network is up, the agent comes next.</summary>
    public Task<string> Root => _root.Task;

    public void Dispose() => _console.LineWritten -= OnLine;

    internal void OnLine(string line)
    {
        if (line.StartsWith(FailedPrefix, StringComparison.Ordinal))
        {
            var failure = new InvalidOperationException($"in the guest: {line[FailedPrefix.Length..]}");
            _kernel.TrySetException(failure);
            _root.TrySetException(failure);
            _ = (_kernel.Task.Exception, _root.Task.Exception);
        }
        else if (line.StartsWith(Prefix, StringComparison.Ordinal) && line[Prefix.Length..].Split(' ') is [var mark, var uptime])
        {
            switch (mark)
            {
                case "start":
                    _kernel.TrySetResult(uptime);
                    break;
                case "root":
                    _root.TrySetResult(uptime);
                    break;
            }
        }
    }
}
