using Oriel.Linux.Cgroups;

namespace Oriel.Desktops.Node;

/// <summary>The programs of one desktop that the kernel ended because its limit of memory was reached.</summary>
/// <param name="cgroup">The desktop's own. What happened there before this was made does not count: nobody knows when it was.</param>
internal sealed class MemoryKills(string cgroup, TimeProvider clock)
{
    public const string Message =
        "The kernel has ended a program in the desktop, which had reached its limit of memory. Close what is not needed there, or take a template with more memoryBytes.";

    /// <summary>Long enough for a person to see it, and for what falls with the program to have fallen.</summary>
    internal static readonly TimeSpan Remembered = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private long _seen = Cgroup.OutOfMemoryKillsOf(cgroup);
    private long? _last;

    public bool AreRecent()
    {
        lock (_lock)
        {
            var count = Cgroup.OutOfMemoryKillsOf(cgroup);
            if (count > _seen)
            {
                (_seen, _last) = (count, clock.GetTimestamp());
            }

            return _last is { } last && clock.GetElapsedTime(last) < Remembered;
        }
    }
}
