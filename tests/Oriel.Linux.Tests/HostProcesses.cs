using Oriel.Linux.Processes;

namespace Oriel.Linux.Tests;

/// <summary>The processes that this one can see.</summary>
internal static class HostProcesses
{
    /// <summary>The command lines that hold a text, such as a directory's path.</summary>
    public static List<string> Naming(string text) =>
        [
            .. ProcessTable
                .ReadAll()
                .Select(entry => ProcessTable.CommandLineOf(entry.Pid))
                .Where(line => line.Contains(text, StringComparison.Ordinal)),
        ];
}
