using System.Buffers.Binary;
using System.Text.Json;
using Oriel.Keeper.Bundles;
using Oriel.Keeper.Network;
using Oriel.Linux.Namespaces;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>
/// The directory that is a VMM's root and that it is started in: a small file system in memory, in the keeper's mount namespace, where the
/// image's disks and the desktop's own are found under names that are the same for every desktop. A VMM names them relative to it, so a
/// snapshot fits any desktop. What else is in it: <see cref="VmRoot"/>.
/// </summary>
/// <remarks>
/// The VMM runs as <see cref="UserId"/>, one of the keeper's subordinate ids, without capabilities: what breaks out of the guest is neither
/// the service's user nor of another desktop's, and of this host's files it sees what packages install.
/// </remarks>
internal sealed class VmDirectory
{
    public const string Kernel = "kernel";
    public const string Initramfs = "initramfs";
    public const string Root = "root";
    public const string Scratch = "scratch";
    public const string Config = "config";
    public const string Memory = "memory";

    /// <summary>The devices' state of a snapshot that a VMM reads by itself.</summary>
    public const string State = "state";

    /// <summary>
    /// A directory in this one that a VMM writes a snapshot's <see cref="Memory"/> and <see cref="State"/> into by itself.
    /// </summary>
    public const string Snapshots = "snapshots";

    /// <summary>In the keeper's user namespace.</summary>
    public const int UserId = 64000;

    private const long LeastScratchBytes = 64L << 20;
    private const int ConfigBytes = 64 * 1024;
    private const UnixFileMode Everyone = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Of files that the VMM writes: it is another user, and nobody else gets there.</summary>
    public const UnixFileMode EveryoneWrites = Everyone | UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private readonly KeeperSpec _spec;

    public VmDirectory(KeeperSpec spec)
    {
        _spec = spec;
        Path = DirectoryIn(new Bundle(spec.Bundle));
        Snapshot = spec.Snapshot is { } snapshot ? new SnapshotDirectory(snapshot.Directory) : null;
    }

    public string Path { get; }

    /// <summary>Null where no snapshot is to be made and none to be restored.</summary>
    public SnapshotDirectory? Snapshot { get; }

    /// <summary>The same directory from the keeper's working directory, the bundle: short enough for a socket's address.</summary>
    public static string FromBundle(string name) => System.IO.Path.Combine(DirectoryIn(Bundle.Current), name);

    /// <summary>Room left for what the scratch disk has yet to take of this host's.</summary>
    public long FreeBytes => new DriveInfo(DiskPath).AvailableFreeSpace;

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>The guest's link: a tap that the VMM may open without a capability.</summary>
    public static async Task CreateTapAsync(CancellationToken cancellationToken)
    {
        const string Device = "/dev/net/tun";
        if (!File.Exists(Device) || (File.GetUnixFileMode(Device) & UnixFileMode.OtherWrite) == 0)
        {
            throw new InvalidOperationException(
                $"{Device} {(File.Exists(Device) ? "is not open to every user: sudo chmod 666 /dev/net/tun" : "is not there: sudo modprobe tun")}"
            );
        }

        await new HostProgram("ip", "-batch", "-")
        {
            Input = $"""
                tuntap add dev {Firewall.Link} mode tap user {UserId}
                link set {Firewall.Link} address {GatewayLink.GatewayMac}

                """,
        }.OutputAsync(cancellationToken);
    }

    /// <summary>Makes the directory with all disks in it.</summary>
    /// <returns>A word on the scratch disk.</returns>
    public async Task<string?> PrepareAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path);
        VmRoot.Make(Path, kvm: _spec.Accelerator == "kvm");
        var image = new ImageDirectory(_spec.ImagePath);
        Bind(image.Kernel, Kernel);
        Bind(image.Initramfs, Initramfs);
        Bind(image.RootDisk, Root);
        WriteConfig();
        return await MakeScratchAsync(cancellationToken);
    }

    /// <summary>The memory of a guest that is to be kept: the snapshot's file from its start. Idempotent.</summary>
    public void KeepMemory(long bytes)
    {
        if (File.Exists(PathOf(Memory)))
        {
            return;
        }

        using (var handle = File.OpenHandle(Snapshot!.Memory, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(handle, bytes);
        }

        File.SetUnixFileMode(Snapshot.Memory, EveryoneWrites);
        File.WriteAllBytes(PathOf(Memory), []);
        Mounts.Mount(Snapshot.Memory, PathOf(Memory), null, MountOptions.Bind);
    }

    /// <summary>
    /// State and memory of the snapshot, for a VMM that maps the memory privately: it cannot write to it, so all desktops of a snapshot
    /// have the one file. The file's blocks stay while a machine has it, whatever becomes of its name.
    /// </summary>
    public void ShareSnapshot()
    {
        BindReadOnly(Snapshot!.State, State);
        BindReadOnly(Snapshot.Memory, Memory);
    }

    /// <summary>
    /// Lets the VMM write a snapshot by itself: its files, which lie where the VMM does not come, are found in <see cref="Snapshots"/>
    /// meanwhile.
    /// </summary>
    /// <exception cref="IOException">The files cannot be made there.</exception>
    public async Task ReceiveAsync(SnapshotDirectory target, Func<Task> write)
    {
        var places = (string[])[PathOf($"{Snapshots}/{State}"), PathOf($"{Snapshots}/{Memory}")];
        Directory.CreateDirectory(PathOf(Snapshots));
        var mounted = 0;
        try
        {
            foreach (var file in (string[])[target.State, target.Memory])
            {
                File.WriteAllBytes(file, []);
                File.SetUnixFileMode(file, EveryoneWrites);
                File.WriteAllBytes(places[mounted], []);
                Mounts.Mount(file, places[mounted], null, MountOptions.Bind);
                mounted++;
            }

            await write();
        }
        finally
        {
            foreach (var place in places.Take(mounted))
            {
                Mounts.Unmount(place);
            }
        }
    }

    /// <summary>Copies the disk of a halted machine into the snapshot that the rest of it is in already.</summary>
    /// <exception cref="IOException">The disk is full.</exception>
    public Task CompleteAsync(SnapshotDirectory snapshot, CancellationToken cancellationToken) =>
        SparseCopy.MakeAsync(DiskPath, snapshot.Scratch, cancellationToken);

    private string DiskPath => System.IO.Path.Combine(new Bundle(_spec.Bundle).Scratch, "disk");

    private static string DirectoryIn(Bundle bundle) => System.IO.Path.Combine(bundle.Scratch, "vm");

    private void Bind(string source, string name)
    {
        if (!File.Exists(source))
        {
            throw new FileNotFoundException($"The image {_spec.ImageDigest} has no {source}: it was built without disks.");
        }

        BindReadOnly(source, name);
    }

    // Before the VMM is started: what is mounted later is in its namespace at once, and made read-only in this one alone.
    private void BindReadOnly(string source, string name)
    {
        var target = PathOf(name);
        File.WriteAllBytes(target, []);
        Mounts.Mount(source, target, null, MountOptions.Bind);
        Mounts.Mount("none", target, null, MountOptions.Remount | MountOptions.Bind | MountOptions.ReadOnly | Mounts.LockedOptions(source));
    }

    private void WriteConfig()
    {
        var boot = JsonSerializer.SerializeToUtf8Bytes(
            new BootConfig(_spec.DesktopId, _spec.AgentKey, _spec.Hostname, _spec.Warm, _spec.TimeScale),
            BootJsonContext.Default.BootConfig
        );
        var disk = new byte[ConfigBytes];
        boot.CopyTo(disk, 0);
        OwnBundle.WriteOwnerOnly(PathOf(Config), disk, Everyone);
    }

    // In the bundle, as it grows; its directory lets nobody else in. No journal: the disk never outlives its keeper.
    private async Task<string?> MakeScratchAsync(CancellationToken cancellationToken)
    {
        var disk = DiskPath;
        if (_spec.Snapshot is { IsRestore: true })
        {
            if (_spec.Snapshot.IsOwn)
            {
                File.Move(Snapshot!.Scratch, disk);
            }
            else
            {
                await SparseCopy.MakeAsync(Snapshot!.Scratch, disk, cancellationToken);
            }

            BindScratch(disk);
            return $"{new FileInfo(disk).Length >> 20} MiB, of the snapshot";
        }

        var size = Math.Max(_spec.Limits.DiskBytes > 0 ? _spec.Limits.DiskBytes : KeeperLimits.DefaultDiskBytes, LeastScratchBytes);
        using (var file = File.OpenHandle(disk, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(file, size);
        }

        string[] arguments = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", disk];
        await new HostProgram("mke2fs", arguments).OutputAsync(cancellationToken);
        RequireExt4(disk);
        BindScratch(disk);
        return $"{size >> 20} MiB";
    }

    // The superblock's magic number (Documentation/filesystems/ext4/super.rst); the guest would show its want much later, and less clearly.
    private static void RequireExt4(string disk)
    {
        const int MagicAt = 1024 + 0x38;
        Span<byte> magic = stackalloc byte[2];
        using var file = File.OpenHandle(disk);
        if (RandomAccess.Read(file, magic, MagicAt) != magic.Length || BinaryPrimitives.ReadUInt16LittleEndian(magic) != 0xEF53)
        {
            throw new InvalidOperationException("mke2fs reported success but made no file system");
        }
    }

    private void BindScratch(string disk)
    {
        File.SetUnixFileMode(disk, EveryoneWrites);
        var target = PathOf(Scratch);
        File.WriteAllBytes(target, []);
        Mounts.Mount(disk, target, null, MountOptions.Bind);
    }
}
