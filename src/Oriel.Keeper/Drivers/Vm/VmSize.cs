using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>A machine's memory and processors.</summary>
internal readonly record struct VmSize(long MemoryBytes, int Vcpus)
{
    public int MemoryMib => checked((int)(MemoryBytes >> 20));

    /// <summary>What the desktop is limited to; without a limit 2 GiB, and as many processors as the host has.</summary>
    /// <param name="mostVcpus">That the VMM or the machine takes.</param>
    public static VmSize Of(KeeperLimits limits, int mostVcpus) =>
        new(
            limits.MachineMemory(),
            Math.Clamp(limits.Cpus > 0 ? (int)Math.Ceiling(limits.Cpus) : Environment.ProcessorCount, 1, mostVcpus)
        );
}
