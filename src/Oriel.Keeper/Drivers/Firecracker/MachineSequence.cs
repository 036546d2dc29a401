using Oriel.Keeper.Drivers.Firecracker.Api;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>The requests that make a machine, in the order that the VMM asks for.</summary>
internal static class MachineSequence
{
    public const string Interface = "eth0";

    /// <summary>From a fresh VMM to a running guest.</summary>
    /// <exception cref="FirecrackerException">The first request that failed.</exception>
    public static async Task BootAsync(FirecrackerApi api, MachineSpec spec, CancellationToken cancellationToken)
    {
        await ObserveAsync(api, cancellationToken);
        await api.PutMachineConfigurationAsync(new MachineConfiguration(spec.VcpuCount, spec.MemoryMib), cancellationToken);
        if (spec.CpuTemplate is { } template)
        {
            // After the machine's configuration, which would put the template back to none.
            await api.PutCpuConfigAsync(template, cancellationToken);
        }

        await api.PutBootSourceAsync(
            new BootSource(MachineFiles.Kernel, spec.HasInitramfs ? MachineFiles.Initramfs : null, spec.BootArgs),
            cancellationToken
        );
        foreach (var drive in spec.Drives)
        {
            // No root device: that word only adds to the command line, and the initramfs knows its disks.
            await api.PutDriveAsync(
                new Drive(drive.Id, drive.Id, IsRootDevice: false, drive.ReadOnly, DriveCache.Unsafe),
                cancellationToken
            );
        }

        await api.PutNetworkInterfaceAsync(new NetworkInterface(Interface, spec.Tap, spec.GuestMac), cancellationToken);
        if (spec.Vsock is { } vsock)
        {
            await api.PutVsockAsync(vsock, cancellationToken);
        }

        await api.PutEntropyAsync(new EntropyDevice(), cancellationToken);
        await api.ActAsync(InstanceActionType.InstanceStart, cancellationToken);
    }

    /// <summary>From a fresh VMM to the machine of the snapshot in its directory.</summary>
    /// <exception cref="FirecrackerException">The first request that failed.</exception>
    /// <exception cref="NotSupportedException">The specification asks for what this version cannot do.</exception>
    public static async Task RestoreAsync(
        FirecrackerApi api,
        RestoreSpec spec,
        FirecrackerCapabilities capabilities,
        CancellationToken cancellationToken
    )
    {
        Require(spec.Tap is null || capabilities.NetworkOverrides, "another tap for a restored machine", "1.12");
        Require(spec.VsockPath is null || capabilities.VsockOverride, "another vsock path for a restored machine", "1.16");
        await ObserveAsync(api, cancellationToken);
        var load = new SnapshotLoad(
            MachineFiles.State,
            new MemoryBackend(MemoryBackendType.File, MachineFiles.Memory),
            ResumeVm: false,
            spec.Tap is { } tap ? [new NetworkOverride(Interface, tap)] : null,
            spec.VsockPath is { } path ? new VsockOverride(path) : null,
            // Without it the guest's clock continues from the snapshot's time until the configure handshake sets it.
            capabilities.ClockRealtime
                ? true
                : null
        );
        await api.LoadSnapshotAsync(load, cancellationToken);
        if (spec.ResumeVm)
        {
            await api.PatchVmAsync(VmState.Resumed, cancellationToken);
        }
    }

    /// <summary>Pauses the machine, which stays paused, and writes state and memory below <see cref="MachineFiles.Snapshots"/>.</summary>
    /// <param name="type">A diff that is refused is made whole instead.</param>
    /// <param name="deadline">Of writing it.</param>
    public static async Task SnapshotAsync(FirecrackerApi api, SnapshotType type, TimeSpan deadline, CancellationToken cancellationToken)
    {
        await api.PatchVmAsync(VmState.Paused, cancellationToken);
        var snapshot = new SnapshotCreate(
            $"{MachineFiles.Snapshots}/{MachineFiles.State}",
            $"{MachineFiles.Snapshots}/{MachineFiles.Memory}",
            type
        );
        try
        {
            await api.CreateSnapshotAsync(snapshot, deadline, cancellationToken);
        }
        catch (FirecrackerException e) when (e.Fault == FirecrackerFault.Refused && type == SnapshotType.Diff)
        {
            await api.CreateSnapshotAsync(snapshot with { SnapshotType = SnapshotType.Full }, deadline, cancellationToken);
        }
    }

    // First, so that what fails later is in the log. Its warnings are of each guest's ports and each resume, none of which is wrong.
    private static async Task ObserveAsync(FirecrackerApi api, CancellationToken cancellationToken)
    {
        await api.PutLoggerAsync(new Logger(MachineFiles.Log, LogLevel.Error), cancellationToken);
        await api.PutMetricsAsync(new Metrics(MachineFiles.Metrics), cancellationToken);
    }

    private static void Require(bool can, string what, string since)
    {
        if (!can)
        {
            throw new NotSupportedException($"This Firecracker does not know {what}: it came with {since}.");
        }
    }
}
