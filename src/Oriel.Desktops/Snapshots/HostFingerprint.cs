using System.Security.Cryptography;
using System.Text;
using Oriel.Linux.Processes;

namespace Oriel.Desktops.Snapshots;

/// <summary>
/// What a machine's state depends on beside the machine: no VMM promises that another version, processor or kernel can restore it.
/// </summary>
/// <param name="Vmm">The first line of what the program says of its version; null where it says nothing.</param>
/// <param name="VmmBytes">With <paramref name="VmmChangedAt"/>: tells builds of one version apart.</param>
/// <param name="CpuFeatures">A digest of the processor's flags: a hypervisor below may show the same model with others.</param>
/// <param name="Processors">As many as a machine without a limit has.</param>
/// <param name="Kernel">The release, as <c>uname -r</c> tells it.</param>
internal sealed record HostFingerprint(
    string? Vmm,
    long VmmBytes,
    DateTimeOffset VmmChangedAt,
    string Cpu,
    string CpuFeatures,
    int Processors,
    string Kernel
)
{
    private static readonly TimeSpan VersionDeadline = TimeSpan.FromSeconds(10);

    public static async Task<HostFingerprint> ReadAsync(string vmm, CancellationToken cancellationToken)
    {
        var program = new FileInfo(vmm);
        var cpu = await File.ReadAllLinesAsync("/proc/cpuinfo", cancellationToken);
        return new HostFingerprint(
            await VersionAsync(vmm, cancellationToken),
            program.Exists ? program.Length : 0,
            program.Exists ? program.LastWriteTimeUtc : DateTimeOffset.UnixEpoch,
            Field(cpu, "model name"),
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Field(cpu, "flags"))))[..16],
            Environment.ProcessorCount,
            (await File.ReadAllTextAsync("/proc/sys/kernel/osrelease", cancellationToken)).Trim()
        );
    }

    /// <summary>Whether the program is still the one that was asked for its version.</summary>
    public bool IsOf(string vmm) =>
        new FileInfo(vmm) is not { Exists: true } program || (program.Length == VmmBytes && program.LastWriteTimeUtc == VmmChangedAt);

    /// <summary>Why what was made on the other one does not go on here, in words; null when it does.</summary>
    /// <param name="dependsOnProcessors">The machine has as many as the host.</param>
    public string? MisfitOf(HostFingerprint made, bool dependsOnProcessors)
    {
        List<string> differences = [];
        if (made.Vmm is not null && Vmm is not null && made.Vmm != Vmm)
        {
            differences.Add($"made by {made.Vmm}, this host has {Vmm}");
        }
        else if ((made.VmmBytes, made.VmmChangedAt) != (VmmBytes, VmmChangedAt))
        {
            differences.Add($"made by another build of {Vmm ?? made.Vmm ?? "the VMM"} than this host has");
        }

        if (made.Cpu != Cpu)
        {
            differences.Add($"made on {made.Cpu}, this host has {Cpu}");
        }
        else if (made.CpuFeatures != CpuFeatures)
        {
            differences.Add($"made on {made.Cpu} with other features than this host's has");
        }

        if (made.Kernel != Kernel)
        {
            differences.Add($"made under Linux {made.Kernel}, this host runs {Kernel}");
        }

        if (dependsOnProcessors && made.Processors != Processors)
        {
            differences.Add($"made with {made.Processors} processors, this host has {Processors}");
        }

        return differences.Count == 0 ? null : string.Join("; ", differences);
    }

    private static string Field(string[] lines, string name) =>
        lines.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':') + 1)..].Trim()
            : "a processor without a name";

    private static async Task<string?> VersionAsync(string vmm, CancellationToken cancellationToken)
    {
        var end = await new HostProgram(vmm, "--version") { Deadline = VersionDeadline }.RunAsync(cancellationToken);
        return end.Output.Split('\n', 2)[0] is { Length: > 0 } line ? line : null;
    }
}
