using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;

namespace Oriel.Keeper.Drivers;

/// <summary>One kind of guest. Everything outside a driver's own folder holds for all kinds.</summary>
internal interface IDriver : IDisposable
{
    /// <summary>Mounts what this kind of guest needs, in the keeper's own mount namespace.</summary>
    /// <exception cref="Linux.LinuxException">The kernel refused; the message names file system and place.</exception>
    void PrepareMounts() { }

    /// <summary>
    /// Makes the guest's link: an interface named <see cref="Network.Firewall.Link"/> in the keeper's network namespace, without address,
    /// down.
    /// </summary>
    Task CreateLinkAsync(CancellationToken cancellationToken);

    /// <summary>Makes the desktop's own writable layer or disk over the read-only image.</summary>
    /// <returns>A word on what was made, for the step's detail.</returns>
    Task<string?> PrepareScratchAsync(CancellationToken cancellationToken);

    /// <summary>Starts the guest, in steps of its own.</summary>
    /// <param name="console">Takes what the guest prints.</param>
    Task<IGuest> StartAsync(StepLog steps, ConsoleLog console, CancellationToken cancellationToken);
}

/// <summary>A running guest.</summary>
internal interface IGuest
{
    /// <summary>Ends once, when the guest is gone.</summary>
    Task<GuestExit> Exited { get; }

    /// <summary>False where this host offers no way to pause.</summary>
    bool CanPause { get; }

    /// <summary>Whether it was started such that a snapshot of it can be made.</summary>
    bool CanSnapshot => false;

    /// <summary>Stops the guest and completes the snapshot; it stays stopped. Only where <see cref="CanSnapshot"/>.</summary>
    /// <exception cref="IOException">The VMM refused, or the disk is full.</exception>
    Task SnapshotAsync(CancellationToken cancellationToken) => throw new IOException("this driver makes no snapshots");

    /// <summary>Whether it can be copied while it lives.</summary>
    bool CanFork => false;

    /// <summary>
    /// Copies memory, devices and disk into the directory; the guest is halted meanwhile, and resumed whatever happens.
    /// </summary>
    /// <exception cref="IOException">The VMM refused, or the disk is full.</exception>
    Task ForkAsync(string directory, CancellationToken cancellationToken) => throw new IOException("this driver makes no forks");

    /// <summary>Asks the guest to end; whoever asks waits for <see cref="Exited"/> with a deadline.</summary>
    /// <exception cref="IOException">It cannot be asked; it can be killed.</exception>
    Task RequestStopAsync(CancellationToken cancellationToken);

    void Kill();

    /// <summary>
    /// Follows a guest that is halted while this host's disk is full, until cancelled or until it has ended; where none does, there is
    /// nothing to follow.
    /// </summary>
    /// <param name="report">Gets true when it is halted, false when it runs again.</param>
    Task FollowHaltsAsync(Action<bool> report, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Does nothing where it is so already.</summary>
    /// <exception cref="IOException">The kernel or the VMM refused.</exception>
    Task SetPausedAsync(bool paused, CancellationToken cancellationToken);
}

/// <param name="Reason"><c>guest-exited</c>, <c>guest-killed</c> or <c>oom</c>.</param>
internal sealed record GuestExit(string Reason, string Detail);
