using System.Diagnostics;
using System.Globalization;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;
using Oriel.Linux.Cgroups;
using Oriel.Linux.Machine;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Drivers.Qemu;

/// <summary>A guest with a kernel of its own in QEMU's <c>microvm</c> machine, by KVM or, where there is none, by emulation.</summary>
internal sealed class QemuDriver(KeeperSpec spec) : IDriver
{
    private const int MostVcpus = 8;

    /// <summary>
    /// What QEMU takes beside the guest's memory: itself, page tables and, under emulation, up to 1 GiB of translated code.
    /// </summary>
    private const long OverheadBytes = 512L << 20;
    private const long TranslatedBytes = 1L << 30;

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(15);

    /// <summary>A state with the memory in it: some gigabytes at most, from a disk that others write to.</summary>
    private static readonly TimeSpan MemoryDeadline = TimeSpan.FromSeconds(45);

    /// <summary>
    /// A start that has shown nothing by then is given up and, as one that ended in a panic, tried once more; on hardware a kernel is up in
    /// a fraction of a second.
    /// </summary>
    private static readonly TimeSpan KernelPatience = TimeSpan.FromSeconds(5);

    /// <summary>How often the host's disk is looked at again while a machine is halted for want of room.</summary>
    private static readonly TimeSpan HaltPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan DisksDeadline = TimeSpan.FromSeconds(15);

    private readonly VmDirectory _directory = new(spec);
    private readonly VmSize _size = VmSize.Of(spec.Limits, MostVcpus);
    private readonly bool _kvm = spec.Accelerator == "kvm";
    private readonly bool _isRestored = spec.Snapshot is { IsRestore: true };
    private readonly QemuMemory _memory = spec.Snapshot switch
    {
        { IsRestore: false } => QemuMemory.Kept,
        { SharedMemory: not null } => QemuMemory.Shared,
        _ => QemuMemory.Own,
    };

    // Opened before anything is mounted over the host's cgroup directories.
    private readonly Cgroup? _cgroup = spec.Limits.Cgroup is { } cgroup ? Cgroup.Open(cgroup) : null;
    private readonly TimeSpan _startDeadline = StartDeadline * Math.Max(1, spec.TimeScale);
    private Task<long>? _tsc;

    public Task CreateLinkAsync(CancellationToken cancellationToken)
    {
        // Beside the other steps, as it takes its time.
        _tsc = _kvm ? null : TimestampCounter.MeasureKilohertzAsync(cancellationToken);
        return VmDirectory.CreateTapAsync(cancellationToken);
    }

    public Task<string?> PrepareScratchAsync(CancellationToken cancellationToken) => _directory.PrepareAsync(cancellationToken);

    public async Task<IGuest> StartAsync(StepLog steps, ConsoleLog console, CancellationToken cancellationToken)
    {
        using var marks = new BootMarks(console);
        var patience = KernelPatience * spec.TimeScale;
        Running? running = null;
        await steps.RunAsync(
            StepNames.VmStart,
            _startDeadline,
            async token =>
            {
                running = await LaunchAsync(console, token);
                return $"QEMU {running.Qmp.Version}, {(_kvm ? "KVM" : "emulation")}";
            },
            cancellationToken
        );
        if (_isRestored)
        {
            await steps.RunAsync(
                StepNames.Restore,
                _memory == QemuMemory.Own ? MemoryDeadline * spec.TimeScale : _startDeadline,
                async token =>
                {
                    var state = _directory.Snapshot!.State;
                    var size = new FileInfo(state).Length;
                    await QemuSnapshot.RestoreAsync(running!.Qmp, token);
                    if (spec.Snapshot!.IsOwn)
                    {
                        File.Delete(state);
                    }

                    return $"{size >> 10} KiB";
                },
                cancellationToken
            );
            return Guest(running!, snapshot: null);
        }

        await steps.RunAsync(
            StepNames.Kernel,
            _startDeadline + (2 * patience),
            async token =>
            {
                var first = await WatchAsync(running!, marks.Kernel, patience, token);
                if (first.Uptime is not null)
                {
                    return $"{first.Uptime} s in the guest";
                }

                await running!.KillAsync();
                running = await LaunchAsync(console, token);
                var second = await WatchAsync(running, marks.Kernel, patience, token);
                return second.Uptime is not null
                    ? $"{second.Uptime} s in the guest, at the second start: the first {first.Problem}"
                    : throw new InvalidOperationException(
                        $"the kernel came up in neither of two starts: the first {first.Problem}, the second {second.Problem}"
                    );
            },
            cancellationToken
        );
        await steps.RunAsync(
            StepNames.GuestDisks,
            DisksDeadline * spec.TimeScale,
            async token =>
            {
                var root = marks.Root.WaitAsync(token);
                return await Task.WhenAny(root, running!.Ended) == root || marks.Root.IsCompleted
                    ? $"{await marks.Root} s in the guest"
                    : throw running.Gone();
            },
            cancellationToken
        );
        return Guest(running!, _directory.Snapshot);
    }

    public void Dispose() => _cgroup?.Dispose();

    private QemuGuest Guest(Running running, SnapshotDirectory? snapshot) =>
        new(
            running.Process,
            running.Qmp,
            _cgroup,
            _size.MemoryBytes,
            _directory,
            snapshot,
            new QemuHalts(running.Qmp, () => _directory.FreeBytes, HaltPause)
        );

    /// <exception cref="InvalidOperationException">QEMU ended, and not because the guest did.</exception>
    private static async Task<KernelStart> WatchAsync(
        Running running,
        Task<string> mark,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var first = await Task.WhenAny(mark, running.Ended).WaitAsync(patience, cancellationToken);
            return first == mark || mark.IsCompleted ? new KernelStart(await mark, null)
                : running.Process.ExitCode == 0 ? new KernelStart(null, "ended with a panic or a reset")
                : throw running.Gone();
        }
        catch (TimeoutException)
        {
            return new KernelStart(null, string.Create(CultureInfo.InvariantCulture, $"hung for {patience.TotalSeconds:0} s"));
        }
    }

    private async Task<Running> LaunchAsync(ConsoleLog console, CancellationToken cancellationToken)
    {
        var machine = new QemuMachineSpec(_kvm, _size.Vcpus, _size.MemoryMib, _tsc is null ? null : await _tsc, _isRestored, _memory);
        if (_memory == QemuMemory.Kept)
        {
            _directory.KeepMemory(_size.MemoryBytes);
        }

        _cgroup?.Limit(_size.MemoryBytes + OverheadBytes + (_kvm ? 0 : TranslatedBytes), spec.Limits.Cpus, pids: 0);
        File.Delete(_directory.PathOf(QemuMachine.Socket));
        var start = VmProcess.StartInfo(
            _directory.Path,
            _cgroup,
            QemuMachine.Program,
            QemuMachine.Arguments(machine),
            _kvm,
            _isRestored ? _directory.Snapshot!.State : null
        );
        var process = Programs.Start(start);
        var pump = console.PumpAsync(process.StandardOutput.BaseStream, CancellationToken.None);
        try
        {
            return new Running(
                process,
                await QmpClient.ConnectAsync(
                    VmDirectory.FromBundle(QemuMachine.Socket),
                    process.WaitForExitAsync(CancellationToken.None),
                    cancellationToken
                )
            );
        }
        catch
        {
            process.Kill();
            await pump;
            throw;
        }
    }

    /// <param name="Uptime">The guest's, in seconds, at its first program; null where it did not come so far.</param>
    private readonly record struct KernelStart(string? Uptime, string? Problem);

    private sealed record Running(Process Process, QmpClient Qmp)
    {
        public Task Ended { get; } = Process.WaitForExitAsync(CancellationToken.None);

        public InvalidOperationException Gone() =>
            new($"QEMU ended with code {Process.ExitCode}; its words are the last lines of the console");

        public async Task KillAsync()
        {
            Process.Kill();
            await Ended;
            await Qmp.DisposeAsync();
        }
    }
}
