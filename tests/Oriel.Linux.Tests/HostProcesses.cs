using System.Diagnostics;

namespace Oriel.Linux.Tests;

/// <summary>The processes that this one can see.</summary>
internal static class HostProcesses
{
    /// <summary>The command lines that hold a text, such as a directory's path.</summary>
    public static List<string> Naming(string text) =>
        [.. Process.GetProcesses().Select(CommandLine).Where(line => line.Contains(text, StringComparison.Ordinal))];

    private static string CommandLine(Process process)
    {
        try
        {
            using (process)
            {
                return File.ReadAllText($"/proc/{process.Id}/cmdline").Replace('\0', ' ');
            }
        }
        catch (IOException)
        {
            return "";
        }
    }
}
