using Oriel.Desktops.Node;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>What a bundle that no server holds stands for on this host.</summary>
internal static class BundleRemains
{
    /// <summary>
    /// Ends the keeper with its guest, then removes cgroup and bundle, in this order: each later one is free only once the earlier is gone.
    /// </summary>
    /// <exception cref="IOException">Something could not be removed.</exception>
    /// <exception cref="InvalidOperationException">The keeper did not end.</exception>
    public static async Task RemoveAsync(IKeeperHost keepers, Bundle bundle, CancellationToken cancellationToken)
    {
        await keepers.KillAsync(bundle, cancellationToken);
        if (bundle.ReadSpec()?.Limits.Cgroup is { } cgroup)
        {
            await CgroupDelegation.RemoveAsync(cgroup);
        }

        await keepers.RemoveBundleAsync(bundle, cancellationToken);
    }
}
