using System.Text.Json.Serialization;
using Oriel.Protocol.Boot;

namespace Oriel.Protocol.Keeper;

/// <summary>
/// What one keeper is to do; written by the server as <c>spec.json</c> (0600) in the bundle directory before the keeper starts,
/// never changed afterwards.
/// </summary>
/// <param name="Bundle">Absolute path of the desktop's directory; the only place that the keeper writes to.</param>
/// <param name="Driver"><c>container</c>, <c>qemu</c>, later <c>firecracker</c>.</param>
/// <param name="ImagePath">Absolute path of the image's directory in the store (container: its <c>rootfs</c> is the lower layer; virtual
/// machines: <c>disks</c>).</param>
/// <param name="EgressSocket">Unix socket of the server that each connection of the guest is handed to.</param>
/// <param name="EgressKey">32 random bytes; proves to the server whose connection it is.</param>
/// <param name="Accelerator">What runs a virtual machine's instructions: <c>kvm</c> or <c>tcg</c> (by software); null for a
/// container.</param>
/// <param name="TimeScale">How many times as long as on hardware a start may take here: deadlines are multiplied by it.</param>
/// <param name="Snapshot">Where the machine's snapshot is to be made, or is to be restored from; null for a plain start.</param>
/// <param name="Warm">Whether the guest's session starts before it is configured (<see cref="BootConfig.Warm"/>).</param>
public sealed record KeeperSpec(
    string DesktopId,
    string Bundle,
    string Driver,
    string ImagePath,
    string ImageDigest,
    string EgressSocket,
    byte[] EgressKey,
    byte[] AgentKey,
    string Hostname,
    KeeperLimits Limits,
    string? Accelerator = null,
    double TimeScale = 1,
    WarmStart? Warm = null,
    KeeperSnapshot? Snapshot = null
);

/// <param name="Directory">Absolute; holds <c>state</c>, <c>scratch</c> and, where the state is without it, <c>memory</c>.</param>
/// <param name="IsRestore">False: the directory is empty, and the command <c>snapshot</c> fills it. True: the machine is restored from
/// there, and the directory stays as it is.</param>
/// <param name="IsOwn">Nothing else is restored from there: the machine takes its files instead of copying them.</param>
/// <param name="SharedMemory">Path of the machine's memory for a VMM that must not have the file itself, opened for the keeper as
/// descriptor <see cref="SharedMemoryDescriptor"/>; null where there is none.</param>
public sealed record KeeperSnapshot(string Directory, bool IsRestore, bool IsOwn = false, string? SharedMemory = null)
{
    /// <summary>One digit, as a shell has it.</summary>
    public const int SharedMemoryDescriptor = 9;
}

/// <param name="MemoryBytes">0 = none.</param>
/// <param name="Cpus">Whole or part cores; 0 = none.</param>
/// <param name="Pids">0 = none.</param>
/// <param name="Cgroup">A delegated cgroup v2 directory of this desktop's own, or null where cgroups are not delegated.</param>
/// <param name="DiskBytes">Most that the desktop's own disk holds; 0 = <see cref="DefaultDiskBytes"/>. A container has none of its
/// own.</param>
public sealed record KeeperLimits(long MemoryBytes, double Cpus, long Pids, string? Cgroup, long DiskBytes = 0)
{
    /// <summary>
    /// What the keeper has <c>cgroup.procs</c> of that directory open as, for its guest to join by; one digit, as a shell has it. Where
    /// cgroup2 is mounted with nsdelegate, as systemd does, nothing in a cgroup namespace moves to a group outside it, but the namespace
    /// that counts is that of whoever opened the file (Linux 5.16): so it is opened before the keeper has its own.
    /// </summary>
    public const int CgroupDescriptor = 7;

    /// <summary>Of a desktop's own disk, where no other is asked for. Sparse: it takes what is written.</summary>
    public const long DefaultDiskBytes = 8L << 30;

    private const long DefaultMachineMemoryBytes = 2L << 30;

    /// <summary>What a virtual machine has: its limit, or 2 GiB where there is none.</summary>
    public long MachineMemory() => MemoryBytes > 0 ? MemoryBytes : DefaultMachineMemoryBytes;
}

/// <summary>
/// Who the keeper is; written atomically as <c>keeper.json</c>. A process with this pid is this keeper only if its start time
/// (field 22 of /proc/pid/stat, in clock ticks since boot) and the boot id agree.
/// </summary>
/// <param name="ProtocolVersion">Of what it says and obeys on keeper.sock: a server adopts only keepers of
/// <see cref="CurrentVersion"/>.</param>
public sealed record KeeperIdentity(int Pid, ulong StartTicks, string BootId, int ProtocolVersion)
{
    /// <summary>Counts up with each change that the other side would not understand.</summary>
    public const int CurrentVersion = 2;
}

/// <summary>
/// The first line, in JSON, of each connection that a keeper hands to the server's egress socket; the guest's bytes follow at once.
/// </summary>
/// <param name="Kind"><c>proxy</c>: the bytes are HTTP/1.1 for an explicit proxy. <c>transparent</c>: dial the target and relay.</param>
/// <param name="Host">Transparent: the name that the guest resolved (its address was synthetic), else null.</param>
/// <param name="Address">Transparent: the destination address as the guest saw it.</param>
/// <param name="AwaitsVerdict">
/// Transparent: the server sends <see cref="Connected"/> once the target is, before the target's own bytes. Without it, it closes.
/// </param>
public sealed record EgressPreamble(
    string DesktopId,
    byte[] Key,
    string Kind,
    string? Host = null,
    string? Address = null,
    int Port = 0,
    bool AwaitsVerdict = false
)
{
    /// <summary>The one byte of a verdict.</summary>
    public const byte Connected = 1;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(KeeperSpec))]
[JsonSerializable(typeof(KeeperIdentity))]
[JsonSerializable(typeof(EgressPreamble))]
public sealed partial class KeeperJsonContext : JsonSerializerContext;

/// <summary>What to do about what a host lacks, in words for whoever runs it.</summary>
public static class KeeperAdvice
{
    /// <summary>Without a cgroup v2 directory of its own a server can neither pause desktops nor limit them.</summary>
    public const string Cgroup =
        "start Oriel in a cgroup of its own: as a user systemd-run --user --scope -p Delegate=yes ./oriel up; as a systemd service Delegate=yes in its unit";
}
