using System.Text;
using Oriel.Keeper.Bundles;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Logs;
using Oriel.Linux.Files;
using Oriel.Linux.Polling;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>
/// The VMM's log and metrics, which it would append to files without bound: it is given named pipes, and what they carry is kept within
/// bounds here. A pipe that is full loses lines; the VMM never waits.
/// </summary>
internal sealed class VmmOutput : IAsyncDisposable
{
    public const int MaxLogBytes = 128 * 1024;

    /// <summary>One line of metrics is about 10 KiB; a longer one than this is passed over.</summary>
    public const int MaxMetricsBytes = 64 * 1024;

    private readonly CancellationTokenSource _stop = new();
    private readonly AsyncDescriptor _logPipe;
    private readonly AsyncDescriptor _metricsPipe;
    private readonly RollingFile _log;
    private readonly string _metricsPath;
    private readonly StringBuilder _line = new();
    private readonly Task _pumps;

    /// <param name="directory">The VMM's own; gets the pipes.</param>
    /// <param name="logPath">Gets the log's last <see cref="MaxLogBytes"/> to twice of them.</param>
    /// <param name="metricsPath">Gets the last whole line of the metrics.</param>
    public VmmOutput(string directory, string logPath, string metricsPath)
    {
        _logPipe = NamedPipe.CreateReader(Path.Combine(directory, MachineFiles.Log), VmDirectory.EveryoneWrites);
        _metricsPipe = NamedPipe.CreateReader(Path.Combine(directory, MachineFiles.Metrics), VmDirectory.EveryoneWrites);
        _log = new RollingFile(logPath, MaxLogBytes);
        _metricsPath = metricsPath;
        _pumps = Task.WhenAll(PumpAsync(_logPipe, KeepLog), PumpAsync(_metricsPipe, KeepLastLine()));
    }

    /// <summary>Each line of the log, or as much of its beginning as <see cref="VmmWords"/> keeps.</summary>
    public event Action<string>? LineLogged;

    /// <summary>Reads what the VMM wrote last; for when it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pumps;
        _logPipe.Dispose();
        _metricsPipe.Dispose();
        _log.Dispose();
        _stop.Dispose();
    }

    private async Task PumpAsync(AsyncDescriptor pipe, BytesHandler keep)
    {
        var buffer = new byte[4096];
        try
        {
            try
            {
                while (true)
                {
                    var count = await pipe.ReadAsync(buffer, _stop.Token);
                    keep(buffer.AsSpan(0, count));
                }
            }
            catch (OperationCanceledException)
            {
                // What came while nobody looked any more.
                for (int count; (count = pipe.TryRead(buffer)) > 0; )
                {
                    keep(buffer.AsSpan(0, count));
                }
            }
        }
        catch (IOException)
        {
            // The host's disk takes no more, which does not end the desktop.
        }
    }

    private void KeepLog(ReadOnlySpan<byte> bytes)
    {
        _log.Write(bytes);
        foreach (var value in bytes)
        {
            if (value == '\n')
            {
                LineLogged?.Invoke(_line.ToString());
                _line.Clear();
            }
            else if (_line.Length < VmmWords.MaxCharacters)
            {
                _line.Append(value is >= 0x20 and < 0x7F ? (char)value : '?');
            }
        }
    }

    private BytesHandler KeepLastLine()
    {
        var line = new byte[MaxMetricsBytes];
        var length = 0;
        return bytes =>
        {
            foreach (var value in bytes)
            {
                if (value == '\n')
                {
                    if (length is > 0 and < MaxMetricsBytes)
                    {
                        OwnBundle.WriteOwnerOnly(_metricsPath, line.AsSpan(0, length));
                    }

                    length = 0;
                }
                else if (length < MaxMetricsBytes)
                {
                    line[length++] = value;
                }
            }
        };
    }

    private delegate void BytesHandler(ReadOnlySpan<byte> bytes);
}
