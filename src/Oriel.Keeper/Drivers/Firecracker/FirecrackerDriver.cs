using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;
using Oriel.Keeper.Network;
using Oriel.Linux.Cgroups;
using Oriel.Linux.Machine;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>
/// A guest with a kernel of its own in Firecracker, which needs KVM. What is where and why: docs/decisions/0052-firecracker.md.
/// </summary>
internal sealed class FirecrackerDriver(KeeperSpec spec) : IDriver
{
    /// <summary>
    /// In the server's environment: gives the guest a serial port, to look at one that does not start. Not for production.
    /// </summary>
    public const string ConsoleVariable = "ORIEL_VM_CONSOLE";

    private const int MostVcpus = 32;

    /// <summary>What Firecracker takes beside the guest's memory: a few MiB of its own, page tables, and what its devices hold.</summary>
    private const long OverheadBytes = 128L << 20;

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan BootDeadline = TimeSpan.FromSeconds(30);

    private readonly VmDirectory _directory = new(spec);
    private readonly VmSize _size = VmSize.Of(spec.Limits, MostVcpus);

    // Opened before anything is mounted over the host's cgroup directories.
    private readonly Cgroup? _cgroup = spec.Limits.Cgroup is { } cgroup ? Cgroup.Open(cgroup) : null;

    public Task CreateLinkAsync(CancellationToken cancellationToken) => VmDirectory.CreateTapAsync(cancellationToken);

    public async Task<string?> PrepareScratchAsync(CancellationToken cancellationToken)
    {
        var word = await _directory.PrepareAsync(cancellationToken);
        if (spec.Snapshot is { IsRestore: true })
        {
            _directory.ShareSnapshot();
        }

        return word;
    }

    public async Task<IGuest> StartAsync(StepLog steps, ConsoleLog console, CancellationToken cancellationToken)
    {
        FirecrackerMachine? machine = null;
        SnapshotPolicy? policy = null;
        var isBooted = spec.Snapshot is not { IsRestore: true };
        await steps.RunAsync(
            StepNames.VmStart,
            StartDeadline,
            async token =>
            {
                var program = await FirecrackerProbe.RunAsync(FirecrackerProbe.DefaultProgram, token);
                var missing = _cgroup?.Limit(_size.MemoryBytes + OverheadBytes, spec.Limits.Cpus, pids: 0) ?? [];
                var isKept = isBooted && program.Capabilities.SparseFirstSnapshot && _cgroup?.ForbidSwap() == true;
                policy = new SnapshotPolicy(
                    _size.MemoryBytes,
                    isBooted,
                    isLimited: _cgroup is not null && !missing.Contains("memory.max"),
                    program.Capabilities,
                    () => !isKept && SwapSpace.IsThere(),
                    spec.TimeScale
                );
                var output = new VmmOutput(_directory.Path, new Bundle(spec.Bundle).VmmLog, new Bundle(spec.Bundle).VmmMetrics);
                machine = await FirecrackerMachine.StartAsync(
                    program,
                    VmDirectory.FromBundle(""),
                    spec.DesktopId,
                    output,
                    console,
                    _cgroup,
                    token
                );
                return $"Firecracker {program.Version}{(missing.Count == 0 ? "" : $"; not limited: {string.Join(", ", missing)}")}";
            },
            cancellationToken
        );
        if (!isBooted)
        {
            await steps.RunAsync(
                StepNames.Restore,
                BootDeadline,
                async token =>
                {
                    await MachineSequence.RestoreAsync(machine!.Api, new RestoreSpec(), machine.Program.Capabilities, token);
                    return null;
                },
                cancellationToken
            );
            return new FirecrackerGuest(machine!, _directory, snapshot: null, policy!);
        }

        await steps.RunAsync(
            StepNames.VmBoot,
            BootDeadline,
            async token =>
            {
                await MachineSequence.BootAsync(machine!.Api, Describe(), token);
                return null;
            },
            cancellationToken
        );
        return new FirecrackerGuest(machine!, _directory, _directory.Snapshot, policy!);
    }

    public void Dispose() => _cgroup?.Dispose();

    private MachineSpec Describe()
    {
        var serial = Environment.GetEnvironmentVariable(ConsoleVariable) == "1";
        return new MachineSpec(
            _size.Vcpus,
            _size.MemoryMib,
            [
                new MachineDrive(VmDirectory.Root, ReadOnly: true),
                new MachineDrive(VmDirectory.Scratch, ReadOnly: false),
                new MachineDrive(VmDirectory.Config, ReadOnly: true),
            ],
            KernelArguments.Compose(BootArguments.Common, serial),
            Firewall.Link,
            GatewayLink.GuestMac
        );
    }
}
