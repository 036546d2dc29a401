using System.Globalization;

namespace Oriel.Bench;

/// <summary>CPU time of process trees, from /proc; what it says is a share of one core between two readings.</summary>
internal sealed class CpuMeter(Func<int, bool> belongs)
{
    private const double TicksPerSecond = 100; // USER_HZ on every Linux that .NET runs on
    private (long Ticks, long At) _start = Read(belongs);

    public void Restart() => _start = Read(belongs);

    /// <summary>Percent of one core since the last restart.</summary>
    public double Percent()
    {
        var (ticks, at) = Read(belongs);
        var seconds = (at - _start.At) / (double)System.Diagnostics.Stopwatch.Frequency;
        return 100 * (ticks - _start.Ticks) / TicksPerSecond / seconds;
    }

    private static (long Ticks, long At) Read(Func<int, bool> belongs)
    {
        var total = 0L;
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && belongs(pid))
            {
                total += TicksOf(pid);
            }
        }

        return (total, System.Diagnostics.Stopwatch.GetTimestamp());
    }

    private static long TicksOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0; // It ended in the meantime.
        }
    }
}
