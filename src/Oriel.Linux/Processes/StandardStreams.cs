using Oriel.Linux.Calls;

namespace Oriel.Linux.Processes;

/// <summary>This process's own standard streams.</summary>
public static class StandardStreams
{
    private const int Output = 1;
    private const int Error = 2;

    /// <summary>Lets what is written to standard error go where standard output goes; what it led to before is closed.</summary>
    /// <exception cref="LinuxException">dup2(2) failed.</exception>
    public static void JoinErrorToOutput() => LinuxException.ThrowIfNegative(DescriptorCalls.Dup2(Output, Error), "dup2");
}
