using Microsoft.Extensions.Logging;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Steps;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Resources;

/// <summary>
/// What one desktop holds of this host: bundle, cgroup, egress session, keeper and the links to keeper and agent. Taken one by one,
/// each with its undo step; all released together.
/// </summary>
/// <param name="id">Of the desktop.</param>
/// <param name="policy">The desktop's egress policy as it is now.</param>
/// <param name="machineChanged">Called when the keeper has reported another state of the machine.</param>
/// <param name="connectionChanged">Gets each entry of the egress log as it changes.</param>
internal sealed class DesktopResources(
    string id,
    Reports reports,
    Func<EgressPolicy> policy,
    Action machineChanged,
    Action<EgressEntry> connectionChanged,
    NodeServices node,
    ILogger logger
)
{
    private readonly CleanupStack _cleanup = new(logger);
    private EgressSession? _egress;
    private MemoryKills? _kills;

    public DesktopMachine Machine { get; } = new(id, reports, machineChanged, node.Options, node.Clock, logger);

    /// <summary>Null before it is taken, and after the end.</summary>
    public EgressSession? Egress => Volatile.Read(ref _egress);

    /// <summary>The kernel has ended a program of the desktop for want of memory not long ago.</summary>
    public bool IsShortOfMemory => Volatile.Read(ref _kills)?.AreRecent() == true;

    public Bundle Bundle => node.Options.Layout.BundleOf(id);

    /// <summary>Makes the bundle and takes a cgroup where they are delegated.</summary>
    /// <returns>The cgroup's directory, or null.</returns>
    public string? TakeBundle()
    {
        PushBundle();
        Directory.CreateDirectory(Bundle.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var cgroup = node.Cgroups.Create(id);
        if (cgroup is not null)
        {
            HoldCgroup(cgroup);
        }

        return cgroup;
    }

    /// <summary>
    /// The memory of a snapshot's machine, which all that are restored from it share and none can write to. Stays for others as long as
    /// this desktop is there.
    /// </summary>
    /// <returns>Its path.</returns>
    /// <exception cref="IOException">The snapshot cannot be read, or there is no room in this host's memory.</exception>
    public async Task<string> TakeMemoryAsync(string snapshot, CancellationToken cancellationToken)
    {
        var memory = await node.Memories.TakeAsync(snapshot, cancellationToken);
        _cleanup.Push(
            "memory",
            () =>
            {
                memory.Dispose();
                return Task.CompletedTask;
            }
        );
        return memory.Path;
    }

    /// <summary>Opens the desktop's way out, under the policy of now.</summary>
    public void TakeEgress(byte[] key)
    {
        var session = node.Egress.Register(id, key, policy());
        session.Log.Changed += OnEgress;
        Volatile.Write(ref _egress, session);
        _cleanup.Push(
            "egress",
            () =>
            {
                session.Log.Changed -= OnEgress;
                session.Dispose();
                Volatile.Write(ref _egress, null);
                return Task.CompletedTask;
            }
        );
    }

    /// <exception cref="IOException">The keeper could not be started.</exception>
    public async Task StartKeeperAsync(KeeperSpec spec, CancellationToken cancellationToken)
    {
        PushKeeper();
        await node.Keepers.StartAsync(spec, cancellationToken);
    }

    /// <summary>Takes over what an earlier server left running.</summary>
    public void Adopt(KeeperSpec spec)
    {
        AdoptRemains(spec);
        TakeEgress(spec.EgressKey);
        Machine.Follow(Bundle, spec);
    }

    /// <summary>Takes over what is only to be removed.</summary>
    public void AdoptRemains(KeeperSpec? spec)
    {
        PushBundle();
        if (spec?.Limits.Cgroup is { } cgroup)
        {
            HoldCgroup(cgroup);
        }

        PushKeeper();
    }

    /// <summary>Takes everything down. Never throws; what could not be removed is logged and left to the next start of a server.</summary>
    public async Task RemoveAsync(bool orderly)
    {
        Machine.ExpectEnd();
        Egress?.Dispose();
        if (orderly)
        {
            await Machine.StopAsync();
        }

        await Machine.CloseAsync();
        var failed = await _cleanup.UnwindAsync();
        if (failed.Count > 0)
        {
            reports.Log("server: not removed: " + string.Join("; ", failed));
        }
    }

    /// <summary>Closes the links; keeper and guest live on.</summary>
    public async Task DetachAsync()
    {
        Machine.ExpectEnd();
        await Machine.CloseAsync();
        Egress?.Dispose();
    }

    private void PushBundle() => _cleanup.Push("bundle", () => node.Keepers.RemoveBundleAsync(Bundle, CancellationToken.None));

    private void PushKeeper() => _cleanup.Push("keeper", () => node.Keepers.KillAsync(Bundle, CancellationToken.None));

    private void HoldCgroup(string cgroup)
    {
        Volatile.Write(ref _kills, new MemoryKills(cgroup, node.Clock));
        _cleanup.Push("cgroup", () => CgroupDelegation.RemoveAsync(cgroup));
    }

    private void OnEgress(EgressEntry entry) => connectionChanged(entry);
}
