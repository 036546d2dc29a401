using Oriel.Agent.Boot;
using Oriel.Linux;
using Oriel.Linux.Descriptors;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;

namespace Oriel.Agent.Session;

/// <summary>Brings what a long-lived child says to the guest's console, line by line, and no faster than a console can bear.</summary>
internal sealed class ChildOutput(GuestConsole console, TimeProvider clock)
{
    private const int LinesPerWindow = 60;
    private const int MaxLineBytes = 2000;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    /// <returns>What the child gets as standard output and error, to be disposed when it is started, and the task that ends with its
    /// output.</returns>
    public (OwnedDescriptor Writer, Task Pump) Open(string source, CancellationToken cancellationToken)
    {
        var (reader, writer) = AsyncDescriptor.CreateReader();
        return (writer, PumpAsync(source, reader, cancellationToken));
    }

    private async Task PumpAsync(string source, AsyncDescriptor reader, CancellationToken cancellationToken)
    {
        using var owned = reader;
        var buffer = new byte[4096];
        var line = new List<byte>(256);
        var windowBegan = clock.GetTimestamp();
        int inWindow = 0,
            suppressed = 0;
        try
        {
            for (int n; (n = await reader.ReadAsync(buffer, cancellationToken)) > 0; )
            {
                foreach (var b in buffer.AsSpan(0, n))
                {
                    if (b != (byte)'\n')
                    {
                        if (line.Count < MaxLineBytes)
                        {
                            line.Add(b);
                        }

                        continue;
                    }

                    if (clock.GetElapsedTime(windowBegan) > Window)
                    {
                        if (suppressed > 0)
                        {
                            console.Write("info", source, $"{suppressed} lines not shown");
                        }

                        (windowBegan, inWindow, suppressed) = (clock.GetTimestamp(), 0, 0);
                    }

                    if (line.Count > 0 && ++inWindow <= LinesPerWindow)
                    {
                        console.Write("info", source, System.Text.Encoding.UTF8.GetString([.. line]));
                    }
                    else if (line.Count > 0)
                    {
                        suppressed++;
                    }

                    line.Clear();
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or LinuxException)
        {
            // The guest ends.
        }
    }
}
